"""The task that the calling handler runs."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.notes import LogLine
from distributed_queue.core.payload import encode_result

if TYPE_CHECKING:
    from typing import TypeAlias

    from distributed_queue.core.task import Task
    from distributed_queue.core.worker.attempt import Attempt
    from distributed_queue.errors import HandlerError

    Interruption: TypeAlias = type[HandlerError]

running_attempt: ContextVar[Attempt] = ContextVar("distributed_queue.running_attempt")


class RunningTask:
    """What a handler can know of its task, and say of it while it runs."""

    __slots__ = ("_attempt",)

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    @property
    def task(self) -> Task:
        """All of it, as it was claimed."""
        return self._attempt.task

    @property
    def task_id(self) -> str:
        """Its id."""
        return self._attempt.claimed.id

    @property
    def queue(self) -> str:
        """The queue that it came from."""
        return self._attempt.claimed.queue

    @property
    def type(self) -> str:
        """The handler type that its payload names."""
        return self.task.type

    @property
    def payload(self) -> Any:
        """Its payload."""
        return self.task.payload

    @property
    def headers(self) -> dict[str, str] | None:
        """Short texts that came with it, such as the context of a trace."""
        return self._attempt.headers

    @property
    def priority(self) -> int:
        """Its priority."""
        return self._attempt.claimed.priority

    @property
    def attempt(self) -> int:
        """How often it was claimed: the fencing token for writes of one's own, a later claim has a higher one."""
        return self._attempt.claimed.attempt

    @property
    def retry_count(self) -> int:
        """Failed attempts before this one."""
        return self._attempt.claimed.failures

    @property
    def crashes(self) -> int:
        """Leases that ran out before this one."""
        return self._attempt.claimed.crashes

    @property
    def max_retries(self) -> int:
        """Tries after the first, as the task says."""
        return self.task.max_retries

    @property
    def created_at(self) -> float:
        """When the storage got it, in seconds since the epoch."""
        return self._attempt.claimed.created_at

    @property
    def started_at(self) -> float:
        """When it was claimed, in seconds since the epoch."""
        return self._attempt.claimed.claimed_at

    @property
    def expires_at(self) -> float | None:
        """When it would have been too late to start it, in seconds since the epoch."""
        return self._attempt.claimed.expires_at

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt at this task, and for no other: for services that do a thing once for a key."""
        return f"{self.queue}:{self.task_id}"

    @property
    def time_left(self) -> float | None:
        """Seconds until ``TimeLimitExceeded`` is raised in the handler; None without a time limit."""
        limit = self._attempt.time_limit
        return None if limit is None else max(0.0, limit - time.monotonic())

    @property
    def deadline(self) -> float | None:
        """When ``TimeLimitExceeded`` is raised in the handler, in seconds since the epoch by this machine's clock."""
        left = self.time_left
        return None if left is None else SystemClock().now() + left

    @property
    def interruption(self) -> Interruption | None:
        """Why the handler was told to stop: ``TaskCancelled``, ``TimeLimitExceeded`` or ``LeaseLost``; None if not.

        It is raised in the handler as well, as soon as that is possible; this is for one that has caught it.
        """
        return self._attempt.interruption

    def heartbeat(self) -> None:
        """Go on only if the handler was not told to stop: raises ``interruption`` again otherwise.

        For long loops whose body catches every exception. The lease needs no help: the worker renews it.
        """
        reason = self._attempt.interruption
        if reason is not None:
            raise reason

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Tell how far it is. Readers see the latest, as ``{"done": …, "total": …, "note": …}``.

        Costs next to nothing: it is stored by another thread, twice a second at most. ``note`` is cut at 200
        characters.
        """
        said = {"done": done, "total": total, "note": None if note is None else note[:200]}
        self._attempt.progress = encode_result({name: value for name, value in said.items() if value is not None})

    def log(self, message: str, level: str = "INFO") -> None:
        """Keep a line with this attempt, where people look for it: REST, ``dq tasks get``, the dashboard.

        The latest 100 lines are kept, 8 KiB of them, and 500 characters of each. Costs next to nothing: they are stored
        along with the progress, or with the outcome. ``TaskLogHandler`` does it with what is logged anyhow.
        """
        self._attempt.say(LogLine.of(SystemClock().now(), level, message))


def current_task() -> RunningTask:
    """The task that runs here. Raises ``LookupError`` outside of a handler."""
    try:
        return RunningTask(running_attempt.get())
    except LookupError:
        raise LookupError("current_task() was called outside of a handler") from None
