from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.core.retry import DEFAULT_RETRY, MAX_DELAY_SECONDS, Backoff, RetryPolicy, next_delay
from distributed_queue.errors import InvalidTask

seconds = st.floats(0, MAX_DELAY_SECONDS)
policies = st.builds(
    RetryPolicy,
    backoff=st.sampled_from(Backoff),
    base=seconds,
    factor=st.floats(1, 1000),
    cap=seconds,
    jitter=st.floats(0, 1),
    delays=st.lists(seconds, min_size=1, max_size=5).map(tuple),
)
failures = st.integers(1, 20_000)
chances = st.floats(0, 1)


def delays(policy: RetryPolicy, count: int) -> list[float]:
    return [policy.delay(failure, lambda: 0.0) for failure in range(1, count + 1)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (DEFAULT_RETRY, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]),
        (RetryPolicy(base=1, factor=3, cap=20), [1, 3, 9, 20, 20]),
        (RetryPolicy(backoff=Backoff.LINEAR, base=5, cap=12), [5, 10, 12, 12]),
        (RetryPolicy(backoff=Backoff.FIXED, base=7), [7, 7, 7]),
        (RetryPolicy(backoff=Backoff.LIST, delays=(1, 60, 10)), [1, 60, 10, 10]),
        (RetryPolicy(backoff=Backoff.LIST, delays=(1, 900)), [1, 600]),
        (RetryPolicy(base=0), [0, 0, 0]),
    ],
    ids=["default", "exponential", "linear", "fixed", "list", "capped list", "none"],
)
def test_delays_follow_the_backoff(policy: RetryPolicy, expected: list[float]) -> None:
    assert delays(policy, len(expected)) == expected


@pytest.mark.parametrize(
    ("jitter", "chance", "expected"), [(0, 1, 8), (0.5, 0, 8), (0.5, 1, 4), (0.5, 0.5, 6), (1, 1, 0), (1, 0.25, 6)]
)
def test_jitter_shortens_by_its_share(jitter: float, chance: float, expected: float) -> None:
    assert RetryPolicy(jitter=jitter).delay(3, lambda: chance) == expected


@given(policies, failures, chances)
def test_no_delay_is_negative_or_above_the_cap(policy: RetryPolicy, failed: int, chance: float) -> None:
    assert 0 <= policy.delay(failed, lambda: chance) <= policy.cap


@given(policies, failures)
def test_growing_backoffs_never_shrink(policy: RetryPolicy, failed: int) -> None:
    if policy.backoff is not Backoff.LIST:
        assert policy.delay(failed, lambda: 0.0) <= policy.delay(failed + 1, lambda: 0.0)


@given(failures)
def test_without_a_base_there_is_no_delay_however_often_it_failed(failed: int) -> None:
    assert RetryPolicy(base=0).delay(failed) == 0


@given(policies)
def test_a_policy_survives_storage(policy: RetryPolicy) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(policy), type=RetryPolicy) == policy


@pytest.mark.parametrize(("failed", "retries", "again"), [(1, 0, False), (1, 1, True), (3, 3, True), (4, 3, False)])
def test_retries_are_tries_after_the_first(failed: int, retries: int, again: bool) -> None:
    assert (next_delay(DEFAULT_RETRY, failed, retries) is not None) is again


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base", -1),
        ("base", float("nan")),
        ("base", MAX_DELAY_SECONDS * 2),
        ("base", "2"),
        ("cap", -1),
        ("cap", float("inf")),
        ("jitter", 1.5),
        ("jitter", -0.1),
        ("jitter", None),
        ("factor", 0.5),
        ("factor", 1001),
        ("backoff", "fixed"),
        ("delays", (1, -1)),
        ("delays", ("1",)),
    ],
)
def test_a_wrong_policy_is_refused_and_the_field_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidTask) as caught:
        RetryPolicy(**{field: value})
    assert caught.value.field == f"retry.{field}"


def test_a_list_without_delays_is_refused() -> None:
    with pytest.raises(InvalidTask, match="at least one"):
        RetryPolicy(backoff=Backoff.LIST)
