from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.core.clock import ManualClock, SystemClock, ceil_ms, floor_ms

MAX_MS = 253_402_300_800_000


@given(st.integers(0, MAX_MS))
def test_whole_milliseconds_stay_as_they_are(milliseconds: int) -> None:
    assert floor_ms(milliseconds / 1000) == ceil_ms(milliseconds / 1000) == milliseconds


@given(st.integers(0, 4_000_000_000_000), st.integers(0, 4_000_000_000_000))
def test_sums_of_whole_milliseconds_stay_whole(start: int, passed: int) -> None:
    assert floor_ms(start / 1000 + passed / 1000) == ceil_ms(start / 1000 + passed / 1000) == start + passed


@given(st.floats(0, 4e9))
def test_the_present_is_never_late_and_a_due_time_never_early(seconds: float) -> None:
    # Two microseconds are the slack that floats need.
    assert floor_ms(seconds) / 1000 <= seconds + 2e-6
    assert ceil_ms(seconds) / 1000 >= seconds - 2e-6
    assert ceil_ms(seconds) - floor_ms(seconds) in (0, 1)


@pytest.mark.parametrize(("seconds", "down", "up"), [(0.0014, 1, 2), (0.0016, 1, 2), (5.0, 5000, 5000), (0.0, 0, 0)])
def test_the_present_is_rounded_down_and_what_lies_ahead_up(seconds: float, down: int, up: int) -> None:
    assert (floor_ms(seconds), ceil_ms(seconds)) == (down, up)


def test_a_manual_clock_moves_only_when_told_to() -> None:
    clock = ManualClock(100.0)
    assert clock.now() == clock.now() == 100.0
    clock.advance(0.001)
    assert clock.now() == 100.001


def test_a_manual_clock_does_not_drift() -> None:
    clock = ManualClock()
    start = clock.now()
    for _ in range(10_000):
        clock.advance(0.001)
    assert clock.now() == start + 10


def test_who_listens_to_a_manual_clock_is_told_of_each_move() -> None:
    clock = ManualClock(0.0)
    heard: list[float] = []
    clock.on_advance(lambda: heard.append(clock.now()))
    clock.advance(1)
    clock.advance(2)
    assert heard == [1, 3]


def test_the_system_clock_is_the_machines() -> None:
    before = time.time()
    assert before <= SystemClock().now() <= time.time()
