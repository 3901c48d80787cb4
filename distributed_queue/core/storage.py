"""The port: what every storage engine does, in terms of values.

Everything is a transition of a task, done atomically and in batches; the plural is the primitive. An engine is
thread-safe, holds no rules of its own (they are in ``lifecycle`` and ``limits``) and takes the time from its own clock.
No connection, cursor or transaction type crosses this port.

**Identity.** A task is named by ``(queue, id)``. Ids are unique within a queue.

**Order.** Ready tasks run by ``(priority, sequence)``; a task gets its sequence number when it becomes ready and keeps
it when its lease ends or is released, so it goes back to its old place. Tasks that become due together get theirs in
the order of ``(due, id)``.

**Fencing.** A claim increments the task's ``attempt``. ``settle`` and ``extend`` carry it; an old one changes nothing.

**Replays.** A client may ask twice when a reply was lost. ``enqueue`` reports a known id. A settle that repeats what the
same attempt already did is answered as the first was and changes nothing.

**Errors.** ``StorageUnavailable`` when the storage cannot be reached, ``StorageFull`` when it has no room,
``StorageIncompatible`` when it cannot be used as it is; every verb may raise them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.errors import ConfigurationError, InvalidQueueName

if TYPE_CHECKING:
    from collections.abc import Sequence

SWEEP_LIMIT = 1000
"""The most tasks that one claim promotes, expires, takes back or trims, each: it bounds the length of an atomic step."""

_QUEUE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def check_queue_name(name: str) -> str:
    """Return the name, or raise ``InvalidQueueName``."""
    if not isinstance(name, str) or not _QUEUE_NAME.fullmatch(name):
        raise InvalidQueueName(
            f"{name!r:.120} is not a queue name: use letters, digits, '.', '_' and '-', from 1 to 100 of them."
        )
    return name


class NewTask(msgspec.Struct, frozen=True):
    """A task to store. It starts ``scheduled`` if ``execute_after`` or ``delay`` lies ahead, else ``pending``."""

    id: str
    queue: str
    type: str
    priority: int
    body: bytes
    execute_after: float | None = None
    """Seconds since the epoch."""
    delay: float | None = None
    """Seconds from now by the storage's clock; if both are given, the later time counts."""
    expires_at: float | None = None
    """Seconds since the epoch; a task that has not been claimed by then ends as ``expired``."""


class ClaimedTask(msgspec.Struct, frozen=True):
    """A task with an open lease."""

    queue: str
    id: str
    attempt: int
    """How often it was claimed, this time included: the fencing token."""
    priority: int
    body: bytes
    failures: int
    crashes: int
    created_at: float
    claimed_at: float
    expires_at: float | None = None


class StoredTask(msgspec.Struct, kw_only=True):
    """Everything a storage knows of a task."""

    queue: str
    id: str
    type: str
    status: TaskStatus
    priority: int
    body: bytes
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    created_at: float
    due_at: float | None = None
    """When it becomes ready; set while ``scheduled`` or ``retrying``."""
    expires_at: float | None = None
    started_at: float | None = None
    """When it was last claimed."""
    finished_at: float | None = None
    worker_id: str | None = None
    """Who holds the lease; set while ``processing``."""
    lease_expires_at: float | None = None
    cancel_requested: bool = False
    result: bytes | None = None
    error: bytes | None = None
    """The last failed attempt, encoded by ``core.task``."""
    reason: str | None = None
    """Why it is dead: ``failed``, ``crashed``, or what the settlement said."""
    progress: bytes | None = None


class ClaimRequest(msgspec.Struct, frozen=True):
    """A wish for work."""

    queues: tuple[str, ...]
    """In order of preference: a later queue is asked only for what the earlier ones did not give."""
    worker_id: str
    limit: int
    lease_seconds: float


class Claim(msgspec.Struct, frozen=True):
    """What a claim gave."""

    tasks: list[ClaimedTask]
    next_due: float | None = None
    """Seconds until claiming again may give more: 0 at once, None nothing is foreseen (``wait`` for news)."""


class Outcome(str, Enum):
    """How an attempt ended."""

    COMPLETE = "complete"
    RETRY = "retry"
    """Failed; try again after ``delay``. Counts as a failure."""
    BURY = "bury"
    """Failed for good: a dead letter. Counts as a failure."""
    RELEASE = "release"
    """Given back unfinished, to its old place. Counts as nothing."""
    SNOOZE = "snooze"
    """Not now: again after ``delay``. Counts as nothing."""
    CANCEL = "cancel"
    """Stopped because cancellation was asked for."""

    def __str__(self) -> str:
        return self.value


class Settlement(msgspec.Struct, frozen=True):
    """How one attempt ended. ``retry``, ``release`` and ``snooze`` of a task whose cancellation was asked for cancel it."""

    queue: str
    id: str
    attempt: int
    outcome: Outcome
    result: bytes | None = None
    error: bytes | None = None
    delay: float = 0.0
    reason: str | None = None


class Exchange(msgspec.Struct, frozen=True):
    """The answer to ``exchange``."""

    settled: list[bool]
    claim: Claim


class Lease(msgspec.Struct, frozen=True):
    """The right to work on a task, named by its fencing token."""

    queue: str
    id: str
    attempt: int


class LeaseState(str, Enum):
    """What became of a lease that was to be extended."""

    HELD = "held"
    LOST = "lost"
    CANCEL = "cancel"
    """Held and extended, but cancellation was asked for."""


class TaskFilter(msgspec.Struct, frozen=True):
    """What to list; None means any."""

    queue: str | None = None
    status: TaskStatus | None = None
    type: str | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of a listing."""

    tasks: list[StoredTask]
    cursor: str | None = None
    """Give it to ``find`` for the next page; None at the end. A page may be short, or empty, before the end."""


class TaskUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to a stored task; None leaves a field as it is."""

    priority: int | None = None
    """For a task that waits."""
    body: bytes | None = None
    """For a task that waits."""
    execute_after: float | None = None
    """For a task that is scheduled or retrying."""
    progress: bytes | None = None
    """For a task that runs; needs its ``attempt``."""
    attempt: int | None = None


class QueueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A queue's settings, kept in the storage so that they hold across all processes. None means no limit."""

    max_size: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Tasks that may wait (pending, scheduled, retrying, blocked)."""
    rate_limit: Annotated[float, msgspec.Meta(gt=0, le=1e6)] | None = None
    """Tasks started per second."""
    rate_burst: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] | None = None
    """Tasks that may start at once after a pause; None means one second's worth."""
    concurrency: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Leases that may be open at once."""
    paused: bool = False
    max_crashes: Annotated[int, msgspec.Meta(ge=1)] = 3
    """A task whose lease ran out this often is a dead letter with reason ``crashed``."""
    retention_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = 3600.0
    """How long completed, cancelled and expired tasks stay."""
    retention_count: Annotated[int, msgspec.Meta(ge=0)] = 100_000
    """How many of them stay at most."""
    journal: bool = True
    journal_max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 64 << 20
    """About how much of the journal is kept."""
    journal_max_age: Annotated[float, msgspec.Meta(ge=1, le=1e9)] = 7 * 24 * 3600.0
    """Seconds for which it is kept."""


def apply_config(before: QueueConfig, changes: dict[str, object]) -> QueueConfig:
    """The settings with some of them changed. Raises ``ConfigurationError`` for a wrong name, type or range."""
    merged = {**msgspec.structs.asdict(before), **changes}
    try:
        after = msgspec.convert(merged, QueueConfig, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"These are not settings of a queue: {error}") from error
    unknown = changes.keys() - set(QueueConfig.__struct_fields__)
    if unknown:
        known = ", ".join(QueueConfig.__struct_fields__)
        raise ConfigurationError(f"A queue has no setting {min(unknown)!r}. Its settings: {known}.")
    return after


class QueueStats(msgspec.Struct, kw_only=True):
    """A queue at a moment."""

    queue: str
    counts: dict[TaskStatus, int]
    """Tasks by state; every state is there."""
    config: QueueConfig
    oldest_ready_age: float | None = None
    """Seconds for which the task at the head of the line has been ready; None if none is."""
    counters: dict[str, int] = {}
    """See ``core.counters``."""

    @property
    def depth(self) -> int:
        """Tasks that have still to run: pending, scheduled, retrying and blocked."""
        counts = self.counts
        return sum(
            counts.get(state, 0)
            for state in (TaskStatus.PENDING, TaskStatus.SCHEDULED, TaskStatus.RETRYING, TaskStatus.BLOCKED)
        )


class WorkerInfo(msgspec.Struct, kw_only=True):
    """A worker as it reports itself with each beat."""

    id: str
    """Unique to this start of the worker."""
    name: str
    host: str
    pid: int
    queues: tuple[str, ...] = ()
    """Empty: all queues."""
    max_workers: int = 1
    active_tasks: int = 0
    paused: bool = False
    state: str = "running"
    """``running``, ``draining`` or ``stopped``."""
    processed: int = 0
    failed: int = 0
    started_at: float = 0.0
    beat_at: float = 0.0
    """By the storage's clock; set by the storage."""
    claimed_at: float | None = None
    """When it last asked for work, by the worker's clock."""
    version: str = ""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told with the answer to its beat."""

    action: Literal["pause", "resume", "scale", "stop", "cancel"]
    max_workers: int | None = None
    """For ``scale``."""
    queue: str | None = None
    """For ``cancel``."""
    task_id: str | None = None
    """For ``cancel``."""


class BeatReply(msgspec.Struct, frozen=True):
    """The answer to a beat."""

    commands: list[Command]
    queues: tuple[str, ...]
    """All queues that exist, sorted."""


class Change(msgspec.Struct, frozen=True, array_like=True):
    """One state change in a journal entry."""

    event: str
    """A word of ``lifecycle.Event``."""
    task_id: str = ""
    """Empty where the change is the queue's."""
    attempt: int = 0
    detail: str = ""
    """``claimed``: worker id; ``dead``: reason; else empty."""


class JournalEntry(msgspec.Struct, frozen=True):
    """What one atomic step changed."""

    position: int
    """1, 2, 3 … without gaps, per queue."""
    at: float
    changes: list[Change]


class StorageHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What a storage says of itself."""

    engine: str
    version: str
    url: str
    """Without its password."""
    durability: str
    """What an acknowledged task survives, in words."""
    latency: float
    """Seconds that a round trip took."""


class Storage(ABC):
    """The port. See the module's docstring for what holds of every verb."""

    url: str
    """Where the tasks are, without a password."""

    # Work

    @abstractmethod
    def enqueue(self, tasks: Sequence[NewTask]) -> list[bool]:
        """Store all, or none. False for a task whose id the queue knows already: it is left as it is.

        Raises ``QueueFull`` where a queue would exceed its size limit.
        """

    @abstractmethod
    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        """Settle, then claim, in one round trip: what a busy worker uses. Atomic per queue.

        Settling answers for each settlement whether it counted. The claim then goes through its queues; in each it

        1. takes back up to ``SWEEP_LIMIT`` leases that ran out, in the order of ``(deadline, id)``: each counts as a
           crash, and the task is ready again at its old place, or cancelled if that was asked for, or dead with reason
           ``crashed`` once it has ``max_crashes``;
        2. expires up to ``SWEEP_LIMIT`` waiting tasks, in the order of ``(expires_at, id)``;
        3. promotes up to ``SWEEP_LIMIT`` due tasks, in the order of ``(due, id)``;
        4. unless it is paused, takes ready tasks in order, as far as limit, rate and concurrency allow.

        Where ready tasks remain that could be claimed now, the next waiter is woken; so a claim with ``limit`` 0 passes
        on news for which there is no room. Every queue touched is trimmed to its retention, up to ``SWEEP_LIMIT`` tasks.
        """

    @abstractmethod
    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        """Let each lease end ``lease_seconds`` from now. Not atomic across leases."""

    @abstractmethod
    def wait(self, queues: Sequence[str], timeout: float) -> tuple[str, ...]:
        """Block until there may be work, at most ``timeout`` seconds; the queues that may have some.

        One waiter is woken for each arrival that finds any waiting. Empty when the time is over or ``wake`` was called.
        """

    @abstractmethod
    def wake(self) -> None:
        """Make this process's calls of ``wait`` and of a waiting ``journal`` return soon."""

    # Reading

    @abstractmethod
    def get(self, ids: Sequence[str], queue: str | None = None) -> list[StoredTask | None]:
        """The tasks with these ids, in ``queue`` or, without one, in the first queue (by name) that has it."""

    @abstractmethod
    def find(self, where: TaskFilter, cursor: str | None = None, limit: int = 100) -> Page:
        """List tasks: by queue name, then by state (``lifecycle.LISTED_ORDER``), then in the state's own order.

        That is for pending the order of running; for scheduled and retrying ``(due, id)``; for processing
        ``(deadline, id)``; for dead and finished ones the latest first, ``(finished, id)`` descending. Not a snapshot: a
        task that changes state between two pages may be seen twice or not at all. Raises ``InvalidCursor``.
        """

    @abstractmethod
    def stats(self, queues: Sequence[str] | None = None) -> list[QueueStats]:
        """Figures of these queues, or of all, sorted by name. Unknown names are left out."""

    @abstractmethod
    def queues(self) -> tuple[str, ...]:
        """The names of all queues that were ever used or configured, sorted."""

    # Control

    @abstractmethod
    def cancel(self, queue: str, ids: Sequence[str]) -> list[StoredTask | None]:
        """Cancel what waits, ask what runs to stop; the tasks afterwards, None for unknown ones.

        A task that runs has ``cancel_requested`` set; ``extend`` tells its worker. What is finished stays as it is.
        """

    @abstractmethod
    def requeue(self, queue: str, ids: Sequence[str]) -> list[bool]:
        """Make tasks in ``lifecycle.REQUEUABLE`` states ready now, failures and crashes reset. False for others.

        Clears error, reason, result, progress and ``expires_at``.
        """

    @abstractmethod
    def delete(self, queue: str, ids: Sequence[str]) -> list[bool]:
        """Forget tasks in any state but ``processing``. False for those not deleted."""

    @abstractmethod
    def update(self, queue: str, task_id: str, changes: TaskUpdate) -> bool:
        """Change a task. False, and nothing changed, where its state or attempt does not fit a change."""

    @abstractmethod
    def clear(self, queue: str) -> int:
        """Forget all tasks of a queue; how many there were. Settings, counters and journal stay. Leases are lost.

        May proceed in bounded steps.
        """

    @abstractmethod
    def configure(self, queue: str, changes: dict[str, object]) -> QueueConfig:
        """Change some of a queue's settings (the fields of ``QueueConfig``) for all processes; all of them afterwards.

        An empty ``changes`` creates the queue, if need be, and reads.
        """

    # Workers

    @abstractmethod
    def beat(self, worker: WorkerInfo) -> BeatReply:
        """Register a worker, or report that it lives; takes the commands that wait for it."""

    @abstractmethod
    def workers(self) -> list[WorkerInfo]:
        """Workers that have beaten within the last ``WORKER_TTL_SECONDS`` and are not stopped, sorted by name and id."""

    @abstractmethod
    def command(self, worker: str, command: Command) -> None:
        """Leave a command for the worker with this id. Kept for ``WORKER_TTL_SECONDS``."""

    # Journal

    @abstractmethod
    def journal(self, queue: str, after: int, limit: int, timeout: float = 0.0) -> list[JournalEntry]:
        """Entries with positions above ``after``, oldest first; if there are none, wait up to ``timeout`` seconds.

        Entries that were trimmed are gone: a first position above ``after + 1`` tells so.
        """

    @abstractmethod
    def journal_tail(self, queue: str) -> int:
        """The position of the latest entry, 0 if there never was one."""

    # Life

    @abstractmethod
    def health(self) -> StorageHealth:
        """Reach the storage and report."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; later calls raise ``QueueClosed``. A second call does nothing."""

    # In terms of the others

    def claim(self, request: ClaimRequest) -> Claim:
        """Take work. See ``exchange``."""
        return self.exchange((), request).claim

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Report how attempts ended; for each whether it counted. See ``exchange``."""
        return self.exchange(settlements, None).settled

    def pause(self, queue: str) -> None:
        """Let nothing more be claimed from the queue. Journalled; a second pause changes nothing."""
        self.configure(queue, {"paused": True})

    def resume(self, queue: str) -> None:
        """Undo ``pause`` and wake waiting workers."""
        self.configure(queue, {"paused": False})


WORKER_TTL_SECONDS = 30.0
"""A worker that has not beaten for this long is no longer listed."""
