from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distributed_queue.core.limits import concurrency_room, default_burst, gcra, overflow

NOW_MS = 1_700_000_000_000
rates = st.floats(0.01, 100_000)
bursts = st.integers(1, 50)
calls = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 60)), min_size=1, max_size=40)
"""Milliseconds since the call before, and how many tasks are wanted."""


@given(rates, bursts, calls)
@example(rate=7, burst=7, steps=[(0, 3), (0, 3), (0, 3)])
def test_no_window_has_more_starts_than_burst_and_rate_allow(
    rate: float, burst: int, steps: list[tuple[int, int]]
) -> None:
    now, tat, starts = NOW_MS, 0.0, []
    for passed, wanted in steps:
        now += passed
        allowed, tat, _ = gcra(now, tat, wanted, rate, burst)
        assert 0 <= allowed <= wanted
        starts.append((now, allowed))
    for first, (begin, _) in enumerate(starts):
        total = 0
        for end, count in starts[first:]:
            total += count
            # A microsecond's worth, and a share of one task, for what floats near 1.7e12 are off.
            assert total <= burst + rate * (end - begin + len(steps) * 1e-3) / 1000 + 1e-6


@given(rates, bursts)
def test_a_rested_limit_lets_a_whole_burst_start(rate: float, burst: int) -> None:
    assert gcra(NOW_MS, 0.0, burst + 5, rate, burst).allowed == burst


@given(rates, bursts, calls)
def test_asking_again_when_told_to_gives_at_least_one(rate: float, burst: int, steps: list[tuple[int, int]]) -> None:
    now, tat = float(NOW_MS), 0.0
    for passed, wanted in steps:
        now += passed
        decision = gcra(now, tat, wanted, rate, burst)
        tat = decision.tat_ms
        assert gcra(now + decision.retry_ms, tat, 1, rate, burst).allowed == 1
        if decision.retry_ms > 1:
            assert gcra(now + decision.retry_ms - 1, tat, 1, rate, burst).allowed == 0


@given(rates, bursts, st.floats(0, 2e12))
def test_wanting_nothing_takes_nothing(rate: float, burst: int, tat: float) -> None:
    decision = gcra(NOW_MS, tat, 0, rate, burst)
    assert decision.allowed == 0
    assert decision.tat_ms == max(tat, NOW_MS)


@pytest.mark.parametrize(("rate", "burst"), [(100, 100), (1, 1), (0.1, 1), (2.9, 2), (1e6, 1_000_000)])
def test_the_default_burst_is_one_seconds_worth_and_at_least_one(rate: float, burst: int) -> None:
    assert default_burst(rate) == burst


def test_over_a_long_time_the_rate_is_reached() -> None:
    now, tat, started = NOW_MS, 0.0, 0
    for _ in range(60_000):
        allowed, tat, _ = gcra(now, tat, 10, 333.0, 5)
        started += allowed
        now += 1
    assert math.isclose(started, 333 * 60, rel_tol=0.001)


@pytest.mark.parametrize(
    ("leases", "limit", "room"), [(0, None, None), (9, None, None), (0, 3, 3), (3, 3, 0), (5, 3, 0)]
)
def test_room_under_the_concurrency_limit(leases: int, limit: int | None, room: int | None) -> None:
    assert concurrency_room(leases, limit) == room


@pytest.mark.parametrize(
    ("depth", "arriving", "limit", "full"),
    [(0, 1, None, False), (9, 1, 10, False), (9, 2, 10, True), (10, 1, 10, True), (12, 0, 10, True), (0, 1, 0, True)],
)
def test_the_size_limit_counts_what_waits_and_what_comes(
    depth: int, arriving: int, limit: int | None, full: bool
) -> None:
    assert overflow(depth, arriving, limit) is full
