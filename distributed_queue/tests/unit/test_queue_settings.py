from __future__ import annotations

from typing import Any

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import QueueConfig, QueueStats, apply_config, check_queue_name
from distributed_queue.errors import ConfigurationError, InvalidQueueName


def test_changes_leave_the_rest_as_it_is() -> None:
    before = QueueConfig(max_size=5, paused=True)
    assert apply_config(before, {"max_size": None, "rate_limit": 2}) == QueueConfig(rate_limit=2.0, paused=True)
    assert apply_config(before, {}) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_size", -1),
        ("max_size", True),
        ("max_size", "5"),
        ("rate_limit", 0),
        ("rate_limit", float("nan")),
        ("rate_limit", float("inf")),
        ("rate_limit", 2e6),
        ("rate_burst", 0),
        ("concurrency", 1.5),
        ("paused", 1),
        ("max_crashes", None),
        ("retention_seconds", -0.1),
        ("journal_max_bytes", 0),
    ],
)
def test_a_wrong_value_is_refused_and_the_setting_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        apply_config(QueueConfig(), {name: value})


def test_an_unknown_setting_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigurationError, match=r"'colour'.*max_size"):
        apply_config(QueueConfig(), {"colour": "red"})


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "9", "x" * 100])
def test_a_good_queue_name_comes_back(name: str) -> None:
    assert check_queue_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 101, "a b", "a/b", "a\n", "ü", "{a}", None, 1, b"a"])
def test_a_bad_queue_name_is_refused_and_shown(name: Any) -> None:
    with pytest.raises(InvalidQueueName, match="letters, digits"):
        check_queue_name(name)


def test_the_depth_is_what_has_still_to_run() -> None:
    counts = {state: 10**index for index, state in enumerate(TaskStatus)}
    waiting = (TaskStatus.PENDING, TaskStatus.SCHEDULED, TaskStatus.RETRYING, TaskStatus.BLOCKED)
    stats = QueueStats(queue="q", counts=counts, config=QueueConfig())
    assert stats.depth == sum(counts[state] for state in waiting)
