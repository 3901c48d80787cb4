"""The values that cross the storage port. Times are epoch seconds by the storage's clock, durations seconds.

Those of which there is one for each task are kept from Python's garbage collector (``gc=False``): they cannot be part
of a cycle, and to look through them again and again costs more than all that is done with them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from distributed_queue.core.history import AttemptOutcome, StoredAttempt
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import Self

    from distributed_queue.core.durability import Demand, Promise

WORKER_TTL_SECONDS = 30.0
"""A worker that has not beaten for this long is no longer listed."""
MAX_COUNT = 1 << 53
"""The largest number that a setting may be: up to here, every engine and every reader of JSON is exact."""
MIN_RATE = 1e-6
"""The lowest rate limit: one task in 11 days. What is near zero has no interval that could be reckoned with."""


class NewTask(msgspec.Struct, frozen=True, gc=False):
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


class ClaimedTask(msgspec.Struct, frozen=True, gc=False):
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
    history: tuple[StoredAttempt, ...] = ()
    """Its latest attempts, the earliest first. ``find`` leaves them out."""


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

    __hash__ = str.__hash__  # Enum's is written in Python, and one is looked up for each task

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

    @property
    def of_attempt(self) -> AttemptOutcome:
        """What the task's history calls it."""
        return _OF_ATTEMPT[self]


_OF_ATTEMPT = {
    Outcome.COMPLETE: AttemptOutcome.SUCCEEDED,
    Outcome.RETRY: AttemptOutcome.FAILED,
    Outcome.BURY: AttemptOutcome.FAILED,
    Outcome.RELEASE: AttemptOutcome.RELEASED,
    Outcome.SNOOZE: AttemptOutcome.SNOOZED,
    Outcome.CANCEL: AttemptOutcome.CANCELLED,
}


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """How one attempt ended. Where cancellation was asked for, retry, release and snooze cancel the task."""

    queue: str
    id: str
    attempt: int
    outcome: Outcome
    result: bytes | None = None
    error: bytes | None = None
    delay: float = 0.0
    reason: str | None = None
    note: bytes | None = None
    """For the task's history; without one, what ``TaskUpdate`` brought of this attempt stays."""


class Exchange(msgspec.Struct, frozen=True):
    """The answer to ``exchange``."""

    settled: list[bool]
    claim: Claim


class Lease(msgspec.Struct, frozen=True, gc=False):
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
    note: bytes | None = None
    """Of an attempt that runs, for the task's history; needs ``attempt``."""
    attempt: int | None = None


class QueueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A queue's settings, kept in the storage so that they hold across all processes. None means no limit."""

    max_size: Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)] | None = None
    """Tasks that may wait (pending, scheduled, retrying, blocked)."""
    rate_limit: Annotated[float, msgspec.Meta(ge=MIN_RATE, le=1e6)] | None = None
    """Tasks started per second."""
    rate_burst: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] | None = None
    """Tasks that may start at once after a pause; None means one second's worth."""
    concurrency: Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)] | None = None
    """Leases that may be open at once."""
    paused: bool = False
    max_crashes: Annotated[int, msgspec.Meta(ge=1, le=MAX_COUNT)] = 3
    """A task whose lease ran out this often is a dead letter with reason ``crashed``."""
    retention_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = 3600.0
    """How long completed, cancelled and expired tasks stay."""
    retention_count: Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)] = 100_000
    """How many of them stay at most."""
    journal: bool = True
    journal_max_bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_COUNT)] = 64 << 20
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
    """Tasks by state; every state is there. What is due counts as pending: a claim would give it."""
    config: QueueConfig
    due: dict[TaskStatus, int] = {}
    """Of the pending ones, those that ``find`` lists as scheduled or retrying until a claim promotes them."""
    oldest_ready_age: float | None = None
    """Seconds for which the task at the head of the line has been ready, or, where that is longer, for which one that
    no claim has promoted has been due. None if no task is pending."""
    counters: dict[str, int] = {}
    """See ``core.counters``."""

    @classmethod
    def at(  # noqa: PLR0913 - a queue's figures, one by one
        cls,
        queue: str,
        counts: dict[TaskStatus, int],
        config: QueueConfig,
        *,
        due: dict[TaskStatus, int],
        ready_age: float | None,
        due_age: float | None,
        counters: dict[str, int],
    ) -> QueueStats:
        """Figures out of what an engine's indexes hold: ``counts`` are of the states that ``find`` lists.

        ``ready_age`` is of the head of the line, ``due_age`` of what has been due for longest; None without any.
        """
        due = {state: number for state, number in due.items() if number}
        counts = dict.fromkeys(TaskStatus, 0) | counts
        for state, number in due.items():
            counts[state] -= number
            counts[TaskStatus.PENDING] += number
        ages = [max(0.0, age) for age in (ready_age, due_age) if age is not None]
        return cls(
            queue=queue,
            counts=counts,
            config=config,
            due=due,
            oldest_ready_age=max(ages, default=None),
            counters=counters,
        )

    def listed(self, state: TaskStatus) -> int:
        """How many tasks ``find`` lists in a state."""
        promoted = sum(self.due.values()) if state is TaskStatus.PENDING else -self.due.get(state, 0)
        return self.counts.get(state, 0) - promoted

    @property
    def depth(self) -> int:
        """Tasks that have still to run: pending, scheduled, retrying and blocked."""
        counts = self.counts
        return sum(
            counts.get(state, 0)
            for state in (TaskStatus.PENDING, TaskStatus.SCHEDULED, TaskStatus.RETRYING, TaskStatus.BLOCKED)
        )


class TaskStack(msgspec.Struct, frozen=True, kw_only=True):
    """Where the handler of a task was when its worker looked."""

    queue: str
    task_id: str
    attempt: int
    seconds: float
    """How long it had run."""
    limit_seconds: float | None = None
    """How long it may."""
    stuck: bool = False
    """It was told to stop and does not; its outcome will not count."""
    frames: tuple[str, ...] = ()
    """``file:line in function``, the outermost first; never a value."""
    note: str = ""
    """Why there are none."""


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
    stuck: int = 0
    """Handlers that were told to stop and do not, though others have taken their places."""
    started_at: float = 0.0
    beat_at: float = 0.0
    """By the storage's clock; set by the storage."""
    claimed_at: float | None = None
    """When it last asked for work, by the worker's clock."""
    version: str = ""
    memory_bytes: int = 0
    """What its process has in memory, without its children; 0 where the system does not tell."""
    cpu_share: float = 0.0
    """Processors that its process kept busy since the beat before."""
    inspections: int = 0
    """How often it was told to ``inspect``: so one sees whether the stacks are those that one asked for."""
    stacks: tuple[TaskStack, ...] = ()
    """Of what runs, for a while after it was told to ``inspect``; bounded in number and size."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told with the answer to its beat."""

    action: Literal["pause", "resume", "scale", "stop", "cancel", "inspect"]
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


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One state change in a journal entry."""

    event: str
    """A word of ``lifecycle.Event``."""
    task_id: str = ""
    """Empty where the change is the queue's."""
    attempt: int = 0
    detail: str = ""
    """``claimed``: worker id; ``dead``: reason; else empty."""


class JournalEntry(msgspec.Struct, frozen=True, gc=False):
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
    profile: str
    """The durability profile, one of ``core.durability.Durability``, or ``unknown``."""
    durability: str
    """The profile, and what an acknowledged task survives in words."""
    missing: str = ""
    """What is missing now from the profile that was demanded."""
    remedies: dict[str, str] = {}
    """For stronger profiles, what gives them."""
    advice: tuple[str, ...] = ()
    """What should be changed in the storage besides."""
    latency: float
    """Seconds that a round trip took."""
    clock_offset: float = 0.0
    """Seconds by which the storage's clock is ahead of this process's."""

    @classmethod
    def of(cls, promise: Promise, demand: Demand | None = None, **others: Any) -> Self:
        """With the fields on durability taken from a promise, and what was demanded."""
        return cls(
            profile=str(promise.profile or "unknown"),
            durability=str(promise),
            missing=promise.falls_short(demand),
            remedies={str(profile): remedy for profile, remedy in promise.remedies.items()},
            advice=promise.advice,
            **others,
        )
