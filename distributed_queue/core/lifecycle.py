"""The states of a task and the moves between them: the one table that every engine follows.

::

    scheduled ──due──► pending ──claim──► processing ──complete──► completed
        ▲                 ▲                    │
        │                 ├── release, lease ──┤
        └──── snooze ─────┼────────────────────┤
                          │                    ├── retry ──► retrying ──due──► pending
                          │                    └── bury, crashed ──► dead ──requeue──► pending
    blocked ──unblock─────┘
    anything unfinished ──cancel──► cancelled        waiting ──expires_at──► expired
"""

from __future__ import annotations

from enum import Enum


class TaskStatus(str, Enum):
    """Where a task is in its life. ``str(status)`` is the lower-case word."""

    __hash__ = str.__hash__  # Enum's is written in Python, and engines look states up several times a task

    SCHEDULED = "scheduled"
    PENDING = "pending"
    PROCESSING = "processing"
    RETRYING = "retrying"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    def __str__(self) -> str:
        return self.value

    @property
    def finished(self) -> bool:
        """Whether the task will not run again unless someone requeues it."""
        return self in FINISHED


class Event(str, Enum):
    """What can happen to a task; the words of the journal."""

    __hash__ = str.__hash__  # as above

    ENQUEUED = "enqueued"
    DUE = "due"
    CLAIMED = "claimed"
    COMPLETED = "completed"
    RETRYING = "retrying"
    DEAD = "dead"
    RELEASED = "released"
    SNOOZED = "snoozed"
    LEASE_EXPIRED = "lease_expired"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REQUEUED = "requeued"
    UPDATED = "updated"
    DELETED = "deleted"
    CLEARED = "cleared"
    PAUSED = "paused"
    RESUMED = "resumed"
    CONFIGURED = "configured"

    def __str__(self) -> str:
        return self.value


WORDS = {event: event.value for event in Event}
"""The plain word of each event: to look it up costs a tenth of asking the member."""

FINISHED = frozenset({TaskStatus.COMPLETED, TaskStatus.DEAD, TaskStatus.CANCELLED, TaskStatus.EXPIRED})
"""States in which a task stays until someone acts or its retention is over."""

WAITING = frozenset({TaskStatus.SCHEDULED, TaskStatus.PENDING, TaskStatus.RETRYING, TaskStatus.BLOCKED})
"""States in which a task has still to run: what counts for the size limit."""

REQUEUABLE = frozenset(
    {TaskStatus.DEAD, TaskStatus.CANCELLED, TaskStatus.EXPIRED, TaskStatus.RETRYING, TaskStatus.SCHEDULED}
)
"""States from which ``requeue`` makes a task ready, at once or later."""

LISTED_ORDER = (
    TaskStatus.PROCESSING,
    TaskStatus.PENDING,
    TaskStatus.RETRYING,
    TaskStatus.SCHEDULED,
    TaskStatus.BLOCKED,
    TaskStatus.DEAD,
    TaskStatus.COMPLETED,
    TaskStatus.CANCELLED,
    TaskStatus.EXPIRED,
)
"""The order in which ``find`` goes through states: what runs, what waits, what ended."""

_S = TaskStatus
TRANSITIONS: dict[tuple[TaskStatus, Event], frozenset[TaskStatus]] = {
    (_S.SCHEDULED, Event.DUE): frozenset({_S.PENDING}),
    (_S.RETRYING, Event.DUE): frozenset({_S.PENDING}),
    (_S.PENDING, Event.CLAIMED): frozenset({_S.PROCESSING}),
    (_S.PROCESSING, Event.COMPLETED): frozenset({_S.COMPLETED}),
    (_S.PROCESSING, Event.RETRYING): frozenset({_S.RETRYING}),
    (_S.PROCESSING, Event.DEAD): frozenset({_S.DEAD}),
    (_S.PROCESSING, Event.RELEASED): frozenset({_S.PENDING}),
    (_S.PROCESSING, Event.SNOOZED): frozenset({_S.SCHEDULED}),
    (_S.PROCESSING, Event.LEASE_EXPIRED): frozenset({_S.PENDING}),
    (_S.PROCESSING, Event.CANCEL_REQUESTED): frozenset({_S.PROCESSING}),
    (_S.PROCESSING, Event.UPDATED): frozenset({_S.PROCESSING}),
    **{(state, Event.CANCELLED): frozenset({_S.CANCELLED}) for state in (*WAITING, _S.PROCESSING)},
    **{(state, Event.EXPIRED): frozenset({_S.EXPIRED}) for state in WAITING},
    **{(state, Event.REQUEUED): frozenset({_S.PENDING, _S.SCHEDULED}) for state in REQUEUABLE},
    **{(state, Event.UPDATED): frozenset({state}) for state in WAITING},
}
"""``(state, event) -> states it may lead to``. ``enqueued`` creates; ``deleted`` and ``cleared`` remove."""


def allowed(before: TaskStatus, event: Event, after: TaskStatus) -> bool:
    """Whether the table has this move."""
    return after in TRANSITIONS.get((before, event), frozenset())
