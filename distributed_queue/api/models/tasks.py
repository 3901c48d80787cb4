"""Tasks and dead letters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, model_validator

from distributed_queue.api.models.base import (
    EXAMPLE_ID,
    EXAMPLE_TIME,
    In,
    Moment,
    Out,
    QueueNameText,
    TaskIdText,
    Whole,
    example,
)
from distributed_queue.api.models.sent import BatchSent, TaskSent
from distributed_queue.core.history import AttemptOutcome
from distributed_queue.core.ids import new_task_id
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.pace import FASTEST, SLOWEST
from distributed_queue.core.retry import MAX_DELAY_SECONDS, MAX_RETRIES_LIMIT, Backoff, RetryPolicy
from distributed_queue.core.task import DEFAULT_MAX_RETRIES, DEFAULT_PRIORITY, MAX_PRIORITY, MIN_PRIORITY, Task

MAX_IDS = 10_000
"""Most ids of one request."""

_TASK_EXAMPLE = {
    "task_id": EXAMPLE_ID,
    "queue": "default",
    "type": "simple",
    "status": "completed",
    "priority": 1,
    "payload": {"type": "simple", "data": "Hello World"},
    "attempts": 1,
    "retry_count": 0,
    "crashes": 0,
    "max_retries": 3,
    "retry": None,
    "timeout": None,
    "execute_after": None,
    "expires_at": None,
    "created_at": EXAMPLE_TIME,
    "started_at": "2026-08-01T12:00:00.004Z",
    "finished_at": "2026-08-01T12:00:00.009Z",
    "worker_id": None,
    "result": "Completed: Hello World",
    "error": None,
    "reason": None,
    "progress": None,
    "cancel_requested": False,
}


class RetryIn(In):
    """The delays between a task's attempts, in seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            **example({"backoff": "exponential", "base": 2, "cap": 600}),
            "if": {"required": ["backoff"], "properties": {"backoff": {"const": "list"}}},
            "then": {"required": ["delays"], "properties": {"delays": {"minItems": 1}}},
        }
    )

    backoff: Annotated[Backoff, Field(strict=False)] = Backoff.EXPONENTIAL
    base: float = Field(2.0, ge=0, le=MAX_DELAY_SECONDS, description="The first delay.")
    factor: float = Field(2.0, ge=1, le=1000, description="What an exponential delay is multiplied with each time.")
    cap: float = Field(600.0, ge=0, le=MAX_DELAY_SECONDS, description="No delay is longer.")
    jitter: float = Field(0.5, ge=0, le=1, description="The share of a delay that is left to chance.")
    delays: list[Annotated[float, Field(ge=0, le=MAX_DELAY_SECONDS)]] = Field(
        default_factory=list, max_length=1000, description="For `list`; the last one holds for all that follow."
    )

    def policy(self) -> RetryPolicy:
        """The policy. Raises ``InvalidTask``."""
        return RetryPolicy(
            backoff=self.backoff,
            base=self.base,
            factor=self.factor,
            cap=self.cap,
            jitter=self.jitter,
            delays=tuple(self.delays),
        )


class TaskIn(In):
    """A task to submit."""

    sent: ClassVar = TaskSent

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"priority": 1, "payload": {"type": "simple", "data": "Hello World"}},
                {"payload": {"type": "mail", "to": "a@example.com"}, "queue": "mail", "delay": 30, "max_retries": 5},
            ]
        }
    )

    payload: Any = Field(description="Any JSON. `type` in it chooses the handler, `data` in it is what that is given.")
    priority: Whole = Field(
        DEFAULT_PRIORITY, ge=MIN_PRIORITY, le=MAX_PRIORITY, description="Lower runs first; equal ones in order."
    )
    queue: QueueNameText = "default"
    execute_after: Moment | None = Field(
        None, description="Not before this time: ISO 8601 (UTC where it has no offset) or seconds since the epoch."
    )
    delay: float | None = Field(
        None,
        ge=0,
        le=10 * MAX_DELAY_SECONDS,
        description="Not before this many seconds from now, by the storage's clock.",
    )
    max_retries: Whole = Field(
        DEFAULT_MAX_RETRIES, ge=0, le=MAX_RETRIES_LIMIT, description="Tries after the first before it is a dead letter."
    )
    timeout: float | None = Field(
        None,
        ge=0.001,
        le=MAX_DELAY_SECONDS,
        description="Seconds that an attempt may take before its handler is stopped.",
    )
    expires_at: Moment | None = Field(None, description="Not started by then, it ends as `expired`.")
    task_id: TaskIdText | None = Field(
        None, description="An id of your own. Submitting it again with the same content changes nothing."
    )
    retry: RetryIn | None = Field(None, description="Delays between attempts; without it the worker's for the type.")

    def task(self, task_id: str | None = None) -> Task:
        """The task to enqueue, under its own id, the one given here, or a new one. Raises ``InvalidTask``."""
        return Task(
            self.priority,
            self.payload,
            task_id=self.task_id or task_id or new_task_id(),
            queue=self.queue,
            execute_after=self.execute_after,  # type: ignore[arg-type]  # the validator made seconds of it
            delay=self.delay,
            max_retries=self.max_retries,
            timeout=self.timeout,
            expires_at=self.expires_at,  # type: ignore[arg-type]  # as above
            retry=self.retry.policy() if self.retry is not None else None,
        )


class BatchIn(In):
    """Tasks to submit together: all are stored, or none."""

    sent: ClassVar = BatchSent

    model_config = ConfigDict(
        json_schema_extra=example({"tasks": [{"payload": {"type": "simple", "data": number}} for number in (1, 2)]})
    )

    tasks: list[TaskIn] = Field(min_length=1)


class LogLineOut(Out):
    """A line that a handler logged."""

    at: datetime
    level: str
    message: str


class AttemptOut(Out):
    """One attempt of a task."""

    attempt: int
    outcome: AttemptOutcome = Field(description="What is `failed` or `timed_out` was tried again where more follows.")
    started_at: datetime = Field(description="When a worker took it.")
    ended_at: datetime | None = Field(description="When its end was stored; null while it runs.")
    duration_seconds: float | None = Field(description="How long its handler ran, where its worker told.")
    worker_id: str | None
    error_type: str | None = Field(description="The class of what its handler raised.")
    error: str | None = Field(description="The message, or the start of it.")
    log: list[LogLineOut] = Field(description="What its handler logged: the latest lines, up to 100 and 8 KiB.")
    log_dropped: int = Field(description="How many earlier lines there were.")
    traceback: str | None = Field(None, description="The end of the traceback, where asked for.")


class TaskOut(Out):
    """A task as it is now. Times are RFC 3339 in UTC, durations seconds."""

    model_config = ConfigDict(json_schema_extra=example(_TASK_EXAMPLE))

    task_id: str
    queue: str
    type: str = Field(description='`payload["type"]`, or `default`.')
    status: TaskStatus
    priority: int
    payload: Any
    attempts: int = Field(description="How often a worker took it; the fencing token of the attempt that runs.")
    retry_count: int = Field(description="Attempts that failed since it was submitted or requeued.")
    crashes: int = Field(description="Attempts whose worker vanished, since then too.")
    max_retries: int
    retry: dict[str, Any] | None = Field(description="Its own retry policy.")
    timeout: float | None
    execute_after: datetime | None = Field(description="When it becomes ready, while it is scheduled or retrying.")
    expires_at: datetime | None
    created_at: datetime | None
    started_at: datetime | None = Field(description="When the latest attempt began.")
    finished_at: datetime | None
    worker_id: str | None = Field(description="Who works on it, while it is processing.")
    result: Any = Field(description="What the handler returned.")
    error: str | None = Field(description="Class and message of the latest failure.")
    reason: str | None = Field(description="Why it is dead: `failed`, `crashed` or what its handler said.")
    progress: Any
    cancel_requested: bool
    traceback: str | None = Field(None, description="The end of the latest failure's traceback, where asked for.")
    history: list[AttemptOut] | None = Field(
        None, description="Its latest attempts, the earliest first, the one that runs included. Listings leave it out."
    )


class PageOut(Out):
    """One page of a listing."""

    model_config = ConfigDict(json_schema_extra=example({"items": [_TASK_EXAMPLE], "next_cursor": None}))

    items: list[TaskOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


class SubmittedOut(Out):
    """One task of a batch."""

    task_id: str
    new: bool = Field(description="False where the queue had it already.")


class BatchOut(Out):
    """What became of a batch, in its order."""

    model_config = ConfigDict(
        json_schema_extra=example({"items": [{"task_id": EXAMPLE_ID, "new": True}], "count": 1, "new_count": 1})
    )

    items: list[SubmittedOut]
    count: int
    new_count: int


class SelectionIn(In):
    """Which dead letters: some by id, or all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ids": [EXAMPLE_ID]}, {"all": True, "queue": "mail"}],
            "oneOf": [
                {
                    "required": ["ids"],
                    "properties": {"ids": {"type": "array"}, "all": {"const": False}},
                },
                {
                    "required": ["all"],
                    "properties": {"ids": {"type": "null"}, "all": {"const": True}},
                },
            ],
        }
    )

    ids: list[TaskIdText] | None = Field(None, min_length=1, max_length=MAX_IDS)
    all: bool = False
    queue: QueueNameText | None = Field(None, description="Only those of this queue.")

    @model_validator(mode="after")
    def one_of_both(self) -> SelectionIn:
        """Neither is a mistake, and so is both."""
        if (self.ids is not None) == self.all:
            raise ValueError("give either ids or all")
        return self


class RequeueIn(SelectionIn):
    """Which dead letters are to run again, and how fast."""

    rate: float | None = Field(
        None,
        ge=SLOWEST,
        le=FASTEST,
        description="So many a second become ready: the first now, the others are scheduled; null is all now.",
    )


class RequeuedOut(Out):
    """How many dead letters are to run again."""

    model_config = ConfigDict(json_schema_extra=example({"requeued": 3}))

    requeued: int


class DeletedOut(Out):
    """How many dead letters were deleted."""

    model_config = ConfigDict(json_schema_extra=example({"deleted": 3}))

    deleted: int
