"""What each outcome, and each request of the control verbs, does to a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core import counters
from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.history import AttemptOutcome
from distributed_queue.core.lifecycle import REQUEUABLE, WAITING, Event, TaskStatus
from distributed_queue.core.replays import DEFAULT_REASON, is_replay
from distributed_queue.core.storage import LeaseState, Outcome

if TYPE_CHECKING:
    from distributed_queue.core.storage import Lease, Settlement, TaskUpdate
    from distributed_queue.storage.memory.queue import Entry, MemoryQueue

# Members by name of their own, for what each task meets: see ``queue``.
_COMPLETE, _COMPLETED, _TOLD_COMPLETED = Outcome.COMPLETE, TaskStatus.COMPLETED, Event.COMPLETED
_PROCESSING = TaskStatus.PROCESSING
_CANCELLABLE = frozenset({Outcome.RETRY, Outcome.RELEASE, Outcome.SNOOZE})
_RUNS = frozenset({Outcome.COMPLETE, Outcome.RETRY, Outcome.BURY})


def settle(queue: MemoryQueue, settlement: Settlement, now_ms: int) -> bool:
    """Apply one settlement; whether it counted."""
    entry = queue.tasks.get(settlement.id)
    if entry is None or entry.attempt != settlement.attempt:
        queue.count(f"{counters.FENCED}.settle")
        return False
    if entry.status is not _PROCESSING:
        replayed = is_replay(
            settlement,
            status=entry.status,
            kept=next((each.outcome for each in entry.history if each.attempt == entry.attempt), None),
            failures=entry.failures,
            reason=entry.reason,
        )
        if not replayed:
            queue.count(f"{counters.FENCED}.settle")
        return replayed
    _apply(queue, entry, settlement, now_ms)
    return True


def _apply(queue: MemoryQueue, entry: Entry, settlement: Settlement, now_ms: int) -> None:
    outcome = settlement.outcome
    if outcome is not _COMPLETE or settlement.note is not None:
        queue.keep_attempt(entry, outcome.of_attempt, settlement.note, now_ms)
    if outcome in _RUNS:
        queue.observe(counters.DURATION, entry.type, now_ms - (entry.started_ms or now_ms))
    if outcome is _COMPLETE:
        queue.count(counters.SUCCEEDED, entry.type)
        entry.result, entry.error = settlement.result, None
        queue.record(_TOLD_COMPLETED, entry)
        queue.finish(entry, _COMPLETED, now_ms)
        return
    if outcome in (Outcome.RETRY, Outcome.BURY):
        queue.count(counters.FAILED, entry.type)
        entry.failures += 1
        entry.error = settlement.error
    if outcome is Outcome.CANCEL:
        queue.count(counters.CANCELLED, entry.type)
    if outcome is Outcome.CANCEL or (entry.cancel_requested and outcome in _CANCELLABLE):
        queue.record(Event.CANCELLED, entry)
        queue.finish(entry, TaskStatus.CANCELLED, now_ms)
    elif outcome is Outcome.BURY:
        entry.reason = settlement.reason or DEFAULT_REASON
        queue.record(Event.DEAD, entry, entry.reason)
        queue.finish(entry, TaskStatus.DEAD, now_ms)
    elif outcome is Outcome.RELEASE:
        queue.record(Event.RELEASED, entry)
        queue.make_ready(entry, now_ms, keep_place=True)
    elif outcome is Outcome.RETRY:
        queue.count(counters.RETRIES, entry.type)
        queue.record(Event.RETRYING, entry)
        queue.postpone(entry, TaskStatus.RETRYING, now_ms + ceil_ms(settlement.delay))
    else:
        queue.record(Event.SNOOZED, entry)
        queue.postpone(entry, TaskStatus.SCHEDULED, now_ms + ceil_ms(settlement.delay))


def extend(queue: MemoryQueue, lease: Lease, deadline_ms: int) -> LeaseState:
    """Extend one lease."""
    entry = queue.tasks.get(lease.id)
    if entry is None or entry.attempt != lease.attempt or entry.status is not TaskStatus.PROCESSING:
        queue.count(f"{counters.FENCED}.extend")
        return LeaseState.LOST
    queue.hold(entry, deadline_ms)
    queue.count(counters.EXTENDED)
    return LeaseState.CANCEL if entry.cancel_requested else LeaseState.HELD


def cancel(queue: MemoryQueue, entry: Entry, now_ms: int) -> None:
    """Cancel what waits, ask what runs to stop."""
    if entry.status in WAITING:
        queue.record(Event.CANCELLED, entry)
        queue.finish(entry, TaskStatus.CANCELLED, now_ms)
    elif entry.status is TaskStatus.PROCESSING and not entry.cancel_requested:
        entry.cancel_requested = True
        queue.record(Event.CANCEL_REQUESTED, entry)


def requeue(queue: MemoryQueue, entry: Entry, now_ms: int, delay_ms: int = 0) -> bool:
    """Make a task ready, with a clean slate but its attempt."""
    if entry.status not in REQUEUABLE:
        return False
    entry.failures = entry.crashes = 0
    entry.error = entry.result = entry.progress = entry.reason = None
    entry.expires_ms = entry.finished_ms = None
    entry.cancel_requested = False
    queue.record(Event.REQUEUED, entry)
    if delay_ms > 0:
        queue.postpone(entry, TaskStatus.SCHEDULED, now_ms + delay_ms)
    else:
        queue.make_ready(entry, now_ms)
    return True


def update(queue: MemoryQueue, entry: Entry, changes: TaskUpdate, now_ms: int) -> bool:
    """Apply all changes, or none."""
    if not _fits(entry, changes):
        return False
    if changes.progress is not None:
        entry.progress = changes.progress
    if changes.note is not None:
        queue.keep_attempt(entry, AttemptOutcome.RUNNING, changes.note, now_ms)
    if changes.body is not None:
        entry.body = changes.body
    if changes.priority is not None:
        entry.priority = changes.priority
        if entry.status is TaskStatus.PENDING:
            queue.index_ready(entry)
    queue.record(Event.UPDATED, entry)
    if changes.execute_after is not None:
        queue.postpone(entry, entry.status, ceil_ms(changes.execute_after))
    return True


def _fits(entry: Entry, changes: TaskUpdate) -> bool:
    if changes.attempt is not None and changes.attempt != entry.attempt:
        return False
    of_attempt = changes.progress is not None or changes.note is not None
    if of_attempt and (changes.attempt is None or entry.status is not TaskStatus.PROCESSING):
        return False
    if (changes.priority is not None or changes.body is not None) and entry.status not in WAITING:
        return False
    return changes.execute_after is None or entry.status in (TaskStatus.SCHEDULED, TaskStatus.RETRYING)
