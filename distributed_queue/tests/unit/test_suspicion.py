"""How many tasks a worker keeps of those that it claimed, where some of them may kill it."""

from __future__ import annotations

import pytest

from distributed_queue.core.worker.suspicion import may_keep


@pytest.mark.parametrize(
    ("crashes", "free_slots", "kept"),
    [
        ([], 4, 0),
        ([0] * 9, 4, 9),  # a prefetch
        ([0] * 9, 0, 9),
        ([0, 1, 0, 0, 0, 0], 4, 4),
        ([1, 1], 4, 2),
        ([1, 1], 0, 0),
        ([1], -3, 0),
        ([2, 0, 0], 4, 1),
        ([2, 2, 2], 4, 1),
        ([0, 1, 2, 0], 4, 2),
        ([0, 0, 0, 0, 0, 2], 4, 4),
        ([7], 0, 0),
    ],
)
def test_how_many_are_kept(crashes: list[int], free_slots: int, kept: int) -> None:
    assert may_keep(crashes, free_slots) == kept
