"""Bad input: a clear error at the call, and nothing stored."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.payload import MAX_DEPTH
from distributed_queue.core.queue import Task, TaskStatus
from distributed_queue.core.retry import Backoff, RetryPolicy
from distributed_queue.errors import InvalidInput, InvalidQueueName, InvalidTask, PayloadTooLarge
from distributed_queue.tests.steps import put

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url, max_body_bytes=10_000) as queue:
        yield queue


def nested(depth: int) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


def circular() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


BAD_PAYLOADS = {
    "object": object(),
    "bytes": {"data": b"raw"},
    "set": {"data": {1, 2}},
    "date": {"data": datetime(2026, 1, 1, tzinfo=timezone.utc)},
    "function": {"data": print},
    "complex": 1j,
    "number key": {"data": {1: "one"}},
    "nan": {"data": float("nan")},
    "infinity": [float("inf")],
    "big integer": {"data": 1 << 64},
    "lone surrogate": {"data": "\ud800"},
    "lone surrogate in a key": {"\udfff": 1},
    "lone surrogate in the type": {"type": "\ud800"},
    "nested too deeply": nested(MAX_DEPTH + 1),
    "nested without end": circular(),
    "type too long": {"type": "x" * 201},
}

BAD_FIELDS: list[tuple[str, Any]] = [
    *(("priority", value) for value in (-1, 1001, 1.5, "1", None, True)),
    *(("task_id", value) for value in ("", "a b", "ä", "a/b", "x" * 201, 7, None)),
    *(("max_retries", value) for value in (-1, 10_001, 1.5, "3", None, True)),
    *(("timeout", value) for value in (0, -1, float("nan"), float("inf"), "soon", True)),
    *(("delay", value) for value in (-1, float("nan"), float("inf"), "soon")),
    *(("execute_after", value) for value in (-1, float("nan"), 1e15, "tomorrow")),
    *(("expires_at", value) for value in (-1, float("nan"), 1e15, "tomorrow")),
    *(("retry", value) for value in ("exponential", 3, {"base": 1.0})),
]


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS.keys())
def test_a_payload_that_is_not_json_is_refused(queue: HybridQueue, payload: Any) -> None:
    with pytest.raises(InvalidTask, match="payload") as caught:
        queue.put(Task(1, payload))
    assert caught.value.field.startswith("payload")
    assert queue.size() == 0


def test_a_payload_as_deep_as_is_allowed_is_taken(queue: HybridQueue) -> None:
    put(queue, nested(MAX_DEPTH))
    assert queue.size() == 1


def test_a_payload_over_the_limit_is_refused_with_both_sizes(queue: HybridQueue) -> None:
    with pytest.raises(PayloadTooLarge) as caught:
        queue.put(Task(1, "x" * 10_000))
    assert caught.value.limit_bytes == 10_000 < caught.value.size_bytes
    assert queue.size() == 0


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_field_out_of_range_is_refused_by_name(queue: HybridQueue, field: str, value: Any) -> None:
    task = Task(1, "fine")
    setattr(task, field, value)
    with pytest.raises(InvalidTask, match=field) as caught:
        queue.put(task)
    assert caught.value.field == field
    assert queue.size() == 0


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "{a}", "x" * 101, None, 7])
def test_a_bad_queue_name_is_refused(queue: HybridQueue, name: Any) -> None:
    with pytest.raises(InvalidQueueName):
        queue.put(Task(1, None, queue=name))
    assert queue.storage.queues() == ("default",)


@pytest.mark.parametrize("thing", [None, "task", {"payload": 1}, 7])
def test_what_is_no_task_is_refused(queue: HybridQueue, thing: Any) -> None:
    with pytest.raises(InvalidInput, match="Task"):
        queue.put(thing)
    with pytest.raises(InvalidInput, match="Task"):
        queue.put_many([Task(1, None), thing])
    assert queue.size() == 0


def test_one_bad_task_keeps_the_whole_batch_out(queue: HybridQueue) -> None:
    with pytest.raises(InvalidTask):
        queue.put_many([Task(1, "fine"), Task(1, "fine", queue="new"), Task(-1, "bad")])
    assert queue.size() == 0
    assert queue.storage.queues() == ("default",)


@pytest.mark.parametrize(
    "options",
    [
        {"base": -1.0},
        {"cap": float("nan")},
        {"base": "long"},
        {"jitter": 1.5},
        {"jitter": None},
        {"factor": 0.5},
        {"factor": "two"},
        {"backoff": "sometimes"},
        {"backoff": Backoff.LIST},
        {"backoff": Backoff.LIST, "delays": (1.0, -1.0)},
        {"backoff": Backoff.LIST, "delays": ("soon",)},
    ],
)
def test_a_senseless_retry_policy_is_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidTask, match=r"retry\.") as caught:
        RetryPolicy(**options)
    assert caught.value.field.startswith("retry.")


def test_the_edges_of_what_is_allowed_are_taken(queue: HybridQueue) -> None:
    put(queue, {"type": "x" * 200}, priority=0, task_id="x" * 200, max_retries=0, timeout=0.001)
    put(queue, [1 << 63, -(1 << 63), 1.7e308, "\u0000", "😀", {}, [], ""], priority=1000, queue="A.b_c-9" * 14)
    put(queue, None, max_retries=10_000, delay=0, execute_after=0, expires_at=253_402_300_800)
    assert queue.size() == 3


def test_lists_of_tuples_arrive_as_lists(queue: HybridQueue) -> None:
    task = put(queue, {"data": (1, (2, 3))})
    stored = queue.get_task(task.task_id)
    assert stored is not None
    assert stored.payload == {"data": [1, [2, 3]]}
    assert stored.status is TaskStatus.PENDING
