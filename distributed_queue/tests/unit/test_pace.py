"""The delays of tasks that are requeued together."""

from __future__ import annotations

import pytest

from distributed_queue.core.pace import Pace
from distributed_queue.errors import ConfigurationError


def test_without_a_rate_all_are_ready_at_once() -> None:
    pace = Pace(None)
    assert pace.next(3) == []
    assert pace.seconds == 0


def test_so_many_a_second_become_ready_over_several_batches() -> None:
    pace = Pace(4)
    assert pace.next(3) == [0.0, 0.25, 0.5]
    assert pace.next(0) == []
    assert pace.next(2) == [0.75, 1.0]
    assert pace.seconds == 1.0


def test_one_alone_does_not_wait() -> None:
    pace = Pace(0.001)
    assert pace.seconds == 0
    assert pace.next(1) == [0.0]
    assert pace.seconds == 0


@pytest.mark.parametrize("rate", [0, -1, 1e-9, 1e9, float("nan"), "10", True])
def test_a_rate_that_makes_no_sense_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="rate"):
        Pace(rate)
