"""A small crowd; ``python -m distributed_queue.tests.fuzz.crowd`` is the large one."""

from __future__ import annotations

from distributed_queue.tests.fuzz.crowd import SERVED, crowd


def test_a_crowd_is_served_as_far_as_the_settings_allow_and_else_refused_in_good_order() -> None:
    came = crowd(clients=300, streams=20, connections=150)
    assert came.answers[SERVED] == 20
    assert came.answers["too-many-streams"] > 0
    assert came.answers["too-many-connections"] > 0
    assert came.answers.total() == came.answers[SERVED] + sum(
        came.answers[code] for code in ("too-many-streams", "too-many-connections")
    )
    assert came.streams_afterwards == 20
    before, most, _ = came.memory_mib
    assert most - before < 100
