from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.core.counters import BUCKET_BOUNDS_MS, bucket, name


@given(st.integers(0, 10_000_000))
def test_a_duration_is_in_the_first_bucket_that_is_not_too_small(milliseconds: int) -> None:
    index = bucket(milliseconds)
    assert index == len(BUCKET_BOUNDS_MS) or milliseconds <= BUCKET_BOUNDS_MS[index]
    assert index == 0 or milliseconds > BUCKET_BOUNDS_MS[index - 1]


def test_bounds_ascend() -> None:
    assert list(BUCKET_BOUNDS_MS) == sorted(set(BUCKET_BOUNDS_MS))


@pytest.mark.parametrize(
    ("what", "task_type", "full"), [("enqueued", "mail", "enqueued|mail"), ("fenced.settle", "", "fenced.settle|")]
)
def test_a_name_has_what_and_type(what: str, task_type: str, full: str) -> None:
    assert name(what, task_type) == full
