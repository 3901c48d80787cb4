"""What each outcome does to a task, and extending leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core import counters
from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.lifecycle import Event
from distributed_queue.core.replays import DEFAULT_REASON, is_replay
from distributed_queue.core.storage import LeaseState, Outcome
from distributed_queue.storage.sqlite.retention import trim
from distributed_queue.storage.sqlite.rows import (
    CANCELLED,
    COMPLETED,
    DEAD,
    PROCESSING,
    RETRYING,
    SCHEDULED,
    STATUS,
    TaskRow,
)
from distributed_queue.storage.sqlite.statements import sql
from distributed_queue.storage.sqlite.transitions import finish, make_ready, postpone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import Lease, Settlement
    from distributed_queue.storage.sqlite.queue import Queue
    from distributed_queue.storage.sqlite.step import Step

EXTEND = sql("task_extend")

_CANCELLABLE = frozenset({Outcome.RETRY, Outcome.RELEASE, Outcome.SNOOZE})
_RUNS = frozenset({Outcome.COMPLETE, Outcome.RETRY, Outcome.BURY})
_FENCED_SETTLE = f"{counters.FENCED}.settle"
_FENCED_EXTEND = f"{counters.FENCED}.extend"


def settle(step: Step, settlements: Sequence[Settlement]) -> list[bool]:
    """Apply settlements in their order, then retention; for each whether it counted."""
    rows = _leased(step, settlements)
    settled = [_settle(step, step.queue(each.queue), rows[each.queue].get(each.id), each) for each in settlements]
    for name in rows:
        trim(step, step.queue(name))
    return settled


def extend(step: Step, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
    """Let leases end ``lease_seconds`` from now."""
    rows = _leased(step, leases)
    deadline_ms = step.now_ms + ceil_ms(lease_seconds)
    extended: list[tuple[int, int]] = []
    states: list[LeaseState] = []
    for lease in leases:
        row = rows[lease.queue].get(lease.id)
        if row is None or row.attempt != lease.attempt or row.state != PROCESSING:
            step.queue(lease.queue).count(_FENCED_EXTEND)
            states.append(LeaseState.LOST)
        else:
            extended.append((deadline_ms, row.key))
            step.queue(lease.queue).count(counters.EXTENDED)
            states.append(LeaseState.CANCEL if row.cancel_requested else LeaseState.HELD)
    step.write_many(EXTEND, extended)
    return states


def _leased(step: Step, wanted: Sequence[Settlement] | Sequence[Lease]) -> dict[str, dict[str, TaskRow]]:
    """The tasks meant, by queue and id."""
    ids: dict[str, list[str]] = {}
    for each in wanted:
        ids.setdefault(each.queue, []).append(each.id)
    return {name: step.tasks(step.queue(name), listed) for name, listed in ids.items()}


def _settle(step: Step, queue: Queue, row: TaskRow | None, settlement: Settlement) -> bool:
    if row is None or row.attempt != settlement.attempt:
        queue.count(_FENCED_SETTLE)
        return False
    if row.state != PROCESSING:
        replayed = is_replay(
            settlement,
            status=STATUS[row.state],
            kept=step.kept_outcome(row),
            failures=row.failures,
            reason=row.reason,
        )
        if not replayed:
            queue.count(_FENCED_SETTLE)
        return replayed
    _apply(step, queue, row, settlement)
    return True


def _apply(step: Step, queue: Queue, row: TaskRow, settlement: Settlement) -> None:
    outcome = settlement.outcome
    if outcome is not Outcome.COMPLETE or settlement.note is not None:
        step.keep_attempt(row, outcome.of_attempt, settlement.note)
    if outcome in _RUNS:
        queue.observe(counters.DURATION, row.type, step.now_ms - row.started_ms)
    if outcome is Outcome.COMPLETE:
        queue.count(counters.SUCCEEDED, row.type)
        row.result, row.error = settlement.result, None
        queue.record(Event.COMPLETED, row)
        finish(step, queue, row, COMPLETED)
        return
    if outcome in (Outcome.RETRY, Outcome.BURY):
        queue.count(counters.FAILED, row.type)
        row.failures += 1
        row.error = settlement.error
    if outcome is Outcome.CANCEL:
        queue.count(counters.CANCELLED, row.type)
    if outcome is Outcome.CANCEL or (row.cancel_requested and outcome in _CANCELLABLE):
        queue.record(Event.CANCELLED, row)
        finish(step, queue, row, CANCELLED)
    else:
        _give_back(step, queue, row, settlement)


def _give_back(step: Step, queue: Queue, row: TaskRow, settlement: Settlement) -> None:
    """End an attempt that did not finish the task's work."""
    outcome = settlement.outcome
    due_ms = step.now_ms + ceil_ms(settlement.delay)
    if outcome is Outcome.BURY:
        row.reason = settlement.reason or DEFAULT_REASON
        queue.record(Event.DEAD, row, row.reason)
        finish(step, queue, row, DEAD)
    elif outcome is Outcome.RELEASE:
        queue.record(Event.RELEASED, row)
        make_ready(step, queue, row, step.now_ms, keep_place=True)
    elif outcome is Outcome.RETRY:
        queue.count(counters.RETRIES, row.type)
        queue.record(Event.RETRYING, row)
        postpone(step, queue, row, RETRYING, due_ms)
    else:
        queue.record(Event.SNOOZED, row)
        postpone(step, queue, row, SCHEDULED, due_ms)
