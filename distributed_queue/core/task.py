"""The task as users see it, and its translation from and to what storages keep."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from distributed_queue.core.ids import new_task_id
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.notes import AttemptRecord, attempt_record, message_of, storable
from distributed_queue.core.payload import (
    MAX_BODY_BYTES,
    Policies,
    decode_body,
    encode_body,
    handler_data,
    payload_type,
    shown_body,
    shown_value,
)
from distributed_queue.core.retry import MAX_DELAY_SECONDS, MAX_RETRIES_LIMIT, RetryPolicy
from distributed_queue.core.storage import ClaimedTask, NewTask, StoredTask, check_queue_name
from distributed_queue.core.times import MAX_EPOCH_SECONDS
from distributed_queue.errors import InvalidTask

MIN_PRIORITY = 0
MAX_PRIORITY = 1000
DEFAULT_PRIORITY = 100
"""Where a caller gives none."""
DEFAULT_MAX_RETRIES = 3
MAX_HEADERS_LENGTH = 8192
"""Characters of all names and values together: what W3C's trace context and baggage may take."""

_TASK_ID = re.compile(r"[A-Za-z0-9._:-]{1,200}")


class _Leading(msgspec.Struct):
    priority: int
    payload: Any


class Task(_Leading, kw_only=True):
    """One unit of work. Tasks order by priority: lower runs first.

    Fields above the line are the caller's to set; a wrong value is refused, with the field's name, when the task is
    enqueued. Times are seconds since the epoch, durations seconds.
    """

    task_id: str = msgspec.field(default_factory=new_task_id)
    queue: str = "default"
    execute_after: float | None = None
    """Not before this time."""
    delay: float | None = None
    """Not before this long after the storage has it."""
    max_retries: int = DEFAULT_MAX_RETRIES
    """Tries after the first."""
    timeout: float | None = None
    """Longest run of the handler."""
    expires_at: float | None = None
    """Not started by then, it ends as ``expired``."""
    retry: RetryPolicy | None = None
    """Delays between attempts; None means the worker's policy for the type, else the default."""
    headers: dict[str, str] | None = None
    """Short texts that go with the task and are not its handler's business, such as the context of a trace."""

    status: TaskStatus = TaskStatus.PENDING
    attempt: int = 0
    """How often it was claimed: the fencing token of the running attempt."""
    retry_count: int = 0
    """Failed attempts so far."""
    crashes: int = 0
    """Leases that ran out."""
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    worker_id: str | None = None
    result: Any = None
    error: str | None = None
    """Class and message of the last failure."""
    traceback: str | None = None
    """The end of its traceback."""
    reason: str | None = None
    """Why it is dead."""
    progress: Any = None
    cancel_requested: bool = False
    history: tuple[AttemptRecord, ...] = ()
    """Its latest attempts, the earliest first, the one that runs included; empty in listings."""

    @property
    def type(self) -> str:
        """The handler type that the payload names."""
        return payload_type(self.payload)

    @property
    def data(self) -> Any:
        """What the handler is called with."""
        return handler_data(self.payload)

    def __lt__(self, other: Task) -> bool:
        return self.priority < other.priority

    def __le__(self, other: Task) -> bool:
        return self.priority <= other.priority

    def __gt__(self, other: Task) -> bool:
        return self.priority > other.priority

    def __ge__(self, other: Task) -> bool:
        return self.priority >= other.priority


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """How an attempt failed, as stored."""

    error: str
    traceback: str | None = None
    attempt: int = 0

    MAX_ERROR = 2_000
    MAX_TRACEBACK = 16_000

    @classmethod
    def of(cls, error: BaseException | str, attempt: int, traceback: str | None = None) -> Failure:
        """Describe an exception in bounded, storable text."""
        text = error if isinstance(error, str) else describe(error)
        return cls(storable(text)[: cls.MAX_ERROR], storable(traceback or "")[-cls.MAX_TRACEBACK :] or None, attempt)


def describe(error: BaseException) -> str:
    """Class and message, also of an exception that cannot be printed."""
    return f"{type(error).__name__}: {message_of(error)}"


_encode_failure = msgspec.msgpack.Encoder().encode
_decode_failure = msgspec.msgpack.Decoder(Failure).decode


def encode_failure(failure: Failure) -> bytes:
    """The stored form of a failure."""
    return _encode_failure(failure)


def decode_failure(encoded: bytes) -> Failure:
    """A failure from its stored form."""
    try:
        return _decode_failure(encoded)
    except (msgspec.MsgspecError, ValueError):
        return Failure("The stored error cannot be read.")


def to_new_task(task: Task, limit_bytes: int = MAX_BODY_BYTES) -> NewTask:
    """Check and encode a task for the storage. Raises ``InvalidTask`` or ``InvalidQueueName``."""
    check_queue_name(task.queue)
    _check_fields(task)
    policies = _PLAIN
    if (
        task.max_retries != DEFAULT_MAX_RETRIES
        or task.timeout is not None
        or task.retry is not None
        or task.headers is not None
    ):
        policies = Policies(max_retries=task.max_retries, timeout=task.timeout, retry=task.retry, headers=task.headers)
    return NewTask(
        id=task.task_id,
        queue=task.queue,
        type=payload_type(task.payload),
        priority=task.priority,
        body=encode_body(task.payload, policies, limit_bytes),
        execute_after=task.execute_after,
        delay=task.delay,
        expires_at=task.expires_at,
    )


def from_claimed(claimed: ClaimedTask) -> Task:
    """The task of a fresh lease. Raises ``InvalidTask`` where its body cannot be read."""
    payload, policies = decode_body(claimed.body)
    return Task(
        claimed.priority,
        payload,
        task_id=claimed.id,
        queue=claimed.queue,
        max_retries=DEFAULT_MAX_RETRIES if policies.max_retries is None else policies.max_retries,
        timeout=policies.timeout,
        expires_at=claimed.expires_at,
        retry=policies.retry,
        headers=policies.headers,
        status=TaskStatus.PROCESSING,
        attempt=claimed.attempt,
        retry_count=claimed.failures,
        crashes=claimed.crashes,
        created_at=claimed.created_at,
        started_at=claimed.claimed_at,
    )


def from_stored(stored: StoredTask) -> Task:
    """The task as the storage knows it. What cannot be read of it is ``{"base64": …}``, so it can still be listed."""
    payload, policies = shown_body(stored.body)
    failure = decode_failure(stored.error) if stored.error is not None else None
    return Task(
        stored.priority,
        payload,
        task_id=stored.id,
        queue=stored.queue,
        execute_after=stored.due_at,
        max_retries=DEFAULT_MAX_RETRIES if policies.max_retries is None else policies.max_retries,
        timeout=policies.timeout,
        expires_at=stored.expires_at,
        retry=policies.retry,
        headers=policies.headers,
        status=stored.status,
        attempt=stored.attempt,
        retry_count=stored.failures,
        crashes=stored.crashes,
        created_at=stored.created_at,
        started_at=stored.started_at,
        finished_at=stored.finished_at,
        worker_id=stored.worker_id,
        result=shown_value(stored.result),
        error=failure.error if failure else None,
        traceback=failure.traceback if failure else None,
        reason=stored.reason,
        progress=shown_value(stored.progress),
        cancel_requested=stored.cancel_requested,
        history=tuple(map(attempt_record, stored.history)),
    )


_PLAIN = Policies()


def _check_fields(task: Task) -> None:
    if type(task.priority) is not int or not MIN_PRIORITY <= task.priority <= MAX_PRIORITY:
        raise InvalidTask(
            f"priority is {task.priority!r:.50}; it is a whole number from {MIN_PRIORITY} (first) to {MAX_PRIORITY}",
            field="priority",
        )
    if not isinstance(task.task_id, str) or not _TASK_ID.fullmatch(task.task_id):
        raise InvalidTask(
            f"task_id is {task.task_id!r:.250}; use letters, digits, '.', '_', ':' and '-', from 1 to 200 of them",
            field="task_id",
        )
    if type(task.max_retries) is not int or not 0 <= task.max_retries <= MAX_RETRIES_LIMIT:
        raise InvalidTask(
            f"max_retries is {task.max_retries!r:.50}; it is a whole number from 0 to {MAX_RETRIES_LIMIT:,}",
            field="max_retries",
        )
    if task.retry is not None and not isinstance(task.retry, RetryPolicy):
        raise InvalidTask(f"retry is {task.retry!r:.50}; it is a RetryPolicy", field="retry")
    if task.headers is not None:
        _check_headers(task.headers)
    if task.timeout is not None:
        _check_number("timeout", task.timeout, 0.001, MAX_DELAY_SECONDS)
    if task.delay is not None:
        _check_number("delay", task.delay, 0, 10 * MAX_DELAY_SECONDS)
    if task.execute_after is not None:
        _check_number("execute_after", task.execute_after, 0, MAX_EPOCH_SECONDS)
    if task.expires_at is not None:
        _check_number("expires_at", task.expires_at, 0, MAX_EPOCH_SECONDS)


def _check_headers(headers: Any) -> None:
    if not isinstance(headers, dict) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in headers.items()
    ):
        raise InvalidTask(f"headers is {headers!r:.80}; it is a dictionary of texts", field="headers")
    size = sum(len(name) + len(value) for name, value in headers.items())
    if size > MAX_HEADERS_LENGTH:
        raise InvalidTask(f"headers has {size:,} characters; there may be {MAX_HEADERS_LENGTH:,}", field="headers")


def _check_number(field: str, value: Any, lowest: float, highest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise InvalidTask(
            f"{field} is {value!r:.50}; it is a number of seconds from {lowest:g} to {highest:,.0f}", field=field
        )
