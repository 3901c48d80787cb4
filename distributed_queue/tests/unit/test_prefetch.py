from __future__ import annotations

import pytest

from distributed_queue.core.worker.prefetch import HORIZON_SECONDS, MAX_PREFETCH, Pace


def settled(per_second: float, handler_seconds: float = 1e-5, exchange_seconds: float = 0.005) -> Pace:
    """The pace of a worker that has gone on like this for a while."""
    pace = Pace()
    for _ in range(100):
        pace.observe_exchange(exchange_seconds, round(per_second / 100), 0.01)
        pace.observe_handlers(handler_seconds)
    return pace


def test_nothing_is_held_in_advance_before_anything_is_known() -> None:
    assert Pace().prefetch() == 0


@pytest.mark.parametrize("handler_seconds", [0.006, 0.1, 10.0])
def test_nothing_is_held_in_advance_where_a_handler_takes_longer_than_an_exchange(handler_seconds: float) -> None:
    assert settled(10_000, handler_seconds).prefetch() == 0


@pytest.mark.parametrize("per_second", [200, 1_000, 5_000])
def test_no_more_is_held_in_advance_than_a_bounded_time_of_work(per_second: int) -> None:
    assert settled(per_second).prefetch() == pytest.approx(per_second * HORIZON_SECONDS, abs=1)


def test_there_is_a_limit_however_fast_it_goes() -> None:
    assert settled(1_000_000).prefetch() == MAX_PREFETCH


def test_two_answers_at_the_same_time_do_not_look_like_a_high_rate() -> None:
    pace = settled(1_000)
    before = pace.prefetch()
    for _ in range(100):
        pace.observe_exchange(0.005, 5, 0.01)
        pace.observe_exchange(0.005, 5, 0.000_001)
    assert pace.prefetch() == pytest.approx(before, rel=0.1)
