"""Replaying a queue's journal on a model of the queue, step by step.

The journal is totally ordered and each entry is one atomic step on the storage's clock, so order, leases, limits and
times can be judged exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from distributed_queue.testing.proof.records import Settings
from distributed_queue.testing.proof.violations import Check, Violations

if TYPE_CHECKING:
    from distributed_queue.testing.proof.facts import TaskFacts
    from distributed_queue.testing.proof.records import Journalled

_MS = 0.001
_BEFORE: dict[str, frozenset[str]] = {
    "due": frozenset({"scheduled", "retrying"}),
    "claimed": frozenset({"pending"}),
    "completed": frozenset({"processing"}),
    "retrying": frozenset({"processing"}),
    "released": frozenset({"processing"}),
    "snoozed": frozenset({"processing"}),
    "lease_expired": frozenset({"processing"}),
    "cancel_requested": frozenset({"processing"}),
    "dead": frozenset({"processing", "lost"}),
    "cancelled": frozenset({"processing", "lost", "pending", "scheduled", "retrying", "blocked"}),
    "expired": frozenset({"pending", "scheduled", "retrying", "blocked"}),
    "requeued": frozenset({"dead", "cancelled", "expired", "retrying", "scheduled"}),
    "updated": frozenset({"processing", "pending", "scheduled", "retrying", "blocked"}),
    "deleted": frozenset({"pending", "scheduled", "retrying", "blocked", "completed", "dead", "cancelled", "expired"}),
}
"""Event to the states in which it may happen. ``lost`` is a task whose lease ran out in this very step."""
_ENDS_LEASE = frozenset({"completed", "retrying", "released", "snoozed", "dead", "cancelled"})
_WAITING = frozenset({"pending", "scheduled", "retrying", "blocked"})
_UNKNOWN_PRIORITY = -1


@dataclass(slots=True)
class ModelTask:
    """A task as the journal tells it."""

    status: str
    priority: int
    sequence: int = 0
    attempt: int = 0
    crashes: int = 0
    not_before: float = 0.0
    expires_at: float = math.inf
    claimed_at: float = 0.0
    outcomes: dict[int, str] = field(default_factory=dict)
    """Attempt to the event that ended it."""
    endings: int = 0
    """How often it was completed since it was stored or requeued."""


class QueueReplay:
    """One queue; ``apply`` takes its journal entries in order."""

    def __init__(
        self, queue: str, facts: dict[str, TaskFacts], settings: Settings | None, violations: Violations
    ) -> None:
        self.queue = queue
        self.tasks: dict[str, ModelTask] = {}
        self.deleted: set[str] = set()
        self.lateness: list[float] = []
        """Seconds from the end of an unextended lease until it was taken back."""
        self.lease_expiries = 0
        self._facts = facts
        self._settings = settings or Settings(queue=queue)
        self._violations = violations
        self._position = 0
        self._at = 0.0
        self._sequence = 0
        self._open = 0
        self._depth = 0
        self._tat = 0.0
        self._ready: list[tuple[int, int, str]] = []
        self._lost: set[str] = set()
        self._paused = False

    def apply(self, entry: Journalled) -> None:
        """Take the next entry."""
        if entry.position != self._position + 1:
            self._found(Check.JOURNAL_GAP, "", f"position {entry.position} follows {self._position}")
        if entry.at < self._at:
            self._found(Check.JOURNAL_GAP, "", f"at {entry.position} time runs from {self._at} back to {entry.at}")
        self._position, self._at = entry.position, max(self._at, entry.at)
        arrived = False
        for event, task_id, attempt, detail in entry.changes:
            if self._lost and not (task_id in self._lost and event in {"dead", "cancelled"}):
                self._settle_lost()
            if event == "enqueued":
                self._enqueued(task_id, entry.at)
                arrived = True
            elif event == "cleared":
                self._cleared()
            elif event in {"paused", "resumed"}:
                self._paused = event == "paused"
            elif task_id:
                self._change(event, task_id, attempt, detail, entry.at)
        self._settle_lost()
        limit = self._settings.max_size
        if arrived and limit is not None and self._depth > limit:
            self._found(Check.SIZE, "", f"{self._depth} tasks wait where {limit} may (entry {entry.position})")

    def _found(self, check: Check, task_id: str, message: str) -> None:
        self._violations.add(check, self.queue, task_id, message)

    def _enqueued(self, task_id: str, at: float) -> None:
        if task_id in self.tasks:
            self._found(Check.STORED_TWICE, task_id, "was stored while it was stored already")
            return
        facts = self._facts.get(task_id)
        submitted = facts.submitted if facts else None
        if submitted is None:
            self._found(Check.INVENTED, task_id, "was stored and never submitted")
            self.tasks[task_id] = ModelTask("pending", _UNKNOWN_PRIORITY)
            self._depth += 1
            return
        due = max(submitted.execute_after or 0.0, at + submitted.delay if submitted.delay else 0.0)
        task = ModelTask("pending", submitted.priority, not_before=due)
        if submitted.expires_at is not None:
            task.expires_at = submitted.expires_at
        self.tasks[task_id] = task
        self._depth += 1
        if due > at + _MS / 2:
            task.status = "scheduled"
        else:
            self._line_up(task_id, task)

    def _cleared(self) -> None:
        self.deleted.update(self.tasks)
        self.tasks.clear()
        self._ready.clear()
        self._open = self._depth = 0

    def _change(self, event: str, task_id: str, attempt: int, detail: str, at: float) -> None:
        task = self.tasks.get(task_id)
        if task is None:
            self._found(Check.JOURNAL_MOVE, task_id, f"{event} although it is not stored")
            return
        allowed = _BEFORE.get(event, frozenset())
        if task.status not in allowed:
            self._misplaced(event, task_id, task, attempt)
            if event in {"completed", "claimed"}:
                self._force(event, task, attempt, at)
            return
        if event == "claimed":
            self._claimed(task_id, task, attempt, at)
            return
        if task.status == "processing" and event != "cancel_requested" and attempt != task.attempt:
            self._found(Check.STALE_OUTCOME, task_id, f"{event} by attempt {attempt} while {task.attempt} is at work")
            return
        if event in _ENDS_LEASE and task.status in {"processing", "lost"}:
            task.outcomes[attempt] = event
        self._move(event, task_id, task, detail, at)

    def _misplaced(self, event: str, task_id: str, task: ModelTask, attempt: int) -> None:
        if event == "completed" and task.status == "completed":
            self._found(Check.SECOND_OUTCOME, task_id, f"completed again, by attempt {attempt}")
        elif event == "claimed" and task.status == "processing":
            self._found(Check.LEASE_OVERLAP, task_id, f"attempt {attempt} was claimed while {task.attempt} is at work")
        elif event in _ENDS_LEASE:
            self._found(Check.STALE_OUTCOME, task_id, f"{event} by attempt {attempt} although it is {task.status}")
        else:
            self._found(Check.JOURNAL_MOVE, task_id, f"{event} although it is {task.status}")

    def _force(self, event: str, task: ModelTask, attempt: int, at: float) -> None:
        """Follow the journal after a violation, so that one mistake is not reported a hundred times."""
        task.attempt = attempt
        if event == "claimed":
            task.claimed_at = at
        else:
            task.outcomes[attempt] = event

    def _claimed(self, task_id: str, task: ModelTask, attempt: int, at: float) -> None:
        if attempt != task.attempt + 1:
            self._found(Check.ATTEMPTS, task_id, f"attempt {attempt} follows {task.attempt}")
        if at < task.not_before - _MS / 2:
            self._found(Check.EARLY, task_id, f"claimed {task.not_before - at:.3f} s before its time")
        if at >= task.expires_at:
            self._found(Check.EXPIRED_RUN, task_id, f"claimed {at - task.expires_at:.3f} s after it expired")
        if self._paused:
            self._found(Check.PAUSED, task_id, f"attempt {attempt} was claimed")
        self._check_order(task_id, task)
        self._leave(task, "processing")
        task.attempt, task.claimed_at = attempt, at
        self._open += 1
        limit = self._settings.concurrency
        if limit is not None and self._open > limit:
            self._found(Check.CONCURRENCY, task_id, f"{self._open} leases are open where {limit} may be")
        self._check_rate(task_id, at)

    def _check_order(self, task_id: str, task: ModelTask) -> None:
        if not self._settings.strict_order or task.priority == _UNKNOWN_PRIORITY:
            return
        ready = self._ready
        while ready:
            priority, sequence, first_id = ready[0]
            first = self.tasks.get(first_id)
            stands = first is not None and first.status == "pending"
            if stands and first is not None and (first.priority, first.sequence) == (priority, sequence):
                if (priority, sequence) < (task.priority, task.sequence):
                    self._found(Check.ORDER, task_id, f"claimed before {first_id}, which was in front of it")
                return
            heappop(ready)

    def _check_rate(self, task_id: str, at: float) -> None:
        rate = self._settings.rate_limit
        if rate is None:
            return
        interval = 1.0 / rate
        burst = self._settings.rate_burst or max(1, int(rate))
        if at < self._tat - interval * (burst - 1) - _MS:
            self._found(Check.RATE, task_id, f"started although {rate:g} a second with a burst of {burst} are used up")
        self._tat = max(self._tat, at) + interval

    def _move(self, event: str, task_id: str, task: ModelTask, detail: str, at: float) -> None:
        if event == "due":
            if at < task.not_before - _MS / 2:
                self._found(Check.EARLY, task_id, f"became ready {task.not_before - at:.3f} s before its time")
            self._leave(task, "pending")
            self._line_up(task_id, task)
        elif event == "requeued":
            self._leave(task, "pending")
            task.crashes, task.endings, task.not_before, task.expires_at = 0, 0, 0.0, math.inf
            self._line_up(task_id, task)
        elif event == "released":
            self._leave(task, "pending")
            self._stand_again(task_id, task)
        elif event == "lease_expired":
            self._lease_expired(task_id, task, at)
        elif event in {"retrying", "snoozed"}:
            self._leave(task, "retrying" if event == "retrying" else "scheduled")
            task.not_before = at + self._asked_delay(task_id, task.attempt)
        elif event in {"completed", "dead", "cancelled", "expired"}:
            self._end(event, task_id, task, detail)
        elif event == "deleted":
            self._leave(task, "")
            self.deleted.add(task_id)
            del self.tasks[task_id]
        elif event == "updated":
            # What it was changed to is not in the journal: its order and time cannot be judged any more.
            task.priority, task.not_before = _UNKNOWN_PRIORITY, 0.0

    def _end(self, event: str, task_id: str, task: ModelTask, detail: str) -> None:
        if event == "dead":
            crashed = task.status == "lost"
            if crashed != (detail == "crashed") or (crashed and task.crashes < self._settings.max_crashes):
                self._found(Check.CRASH_LIMIT, task_id, f"dead as {detail!r} after {task.crashes} crashes")
        if event == "completed":
            task.endings += 1
        self._lost.discard(task_id)
        self._leave(task, event)

    def _lease_expired(self, task_id: str, task: ModelTask, at: float) -> None:
        self.lease_expiries += 1
        task.crashes += 1
        task.outcomes[task.attempt] = "lease_expired"
        facts = self._facts.get(task_id)
        length = facts.leases.get(task.attempt) if facts else None
        if length is not None:
            late = at - (task.claimed_at + length)
            if late < -_MS:
                self._found(Check.LEASE_OVERLAP, task_id, f"its lease was taken back {-late:.3f} s before its end")
            elif facts is not None and task.attempt not in facts.extended:
                self.lateness.append(late)
        self._leave(task, "lost")
        self._lost.add(task_id)

    def _settle_lost(self) -> None:
        """Tasks whose leases ran out, and that were not buried right away, are ready at their old place."""
        for task_id in self._lost:
            task = self.tasks[task_id]
            if task.crashes >= self._settings.max_crashes:
                self._found(Check.CRASH_LIMIT, task_id, f"ready again after {task.crashes} crashes")
            task.status = "pending"
            self._depth += 1
            self._stand_again(task_id, task)
        self._lost.clear()

    def _leave(self, task: ModelTask, status: str) -> None:
        """Change the state, and what is counted by state."""
        self._open -= task.status == "processing"
        self._depth += (status in _WAITING) - (task.status in _WAITING)
        task.status = status

    def _line_up(self, task_id: str, task: ModelTask) -> None:
        self._sequence += 1
        task.sequence = self._sequence
        self._stand_again(task_id, task)

    def _stand_again(self, task_id: str, task: ModelTask) -> None:
        if task.priority != _UNKNOWN_PRIORITY:
            heappush(self._ready, (task.priority, task.sequence, task_id))

    def _asked_delay(self, task_id: str, attempt: int) -> float:
        """The least delay that a worker asked for with an outcome of this attempt."""
        facts = self._facts.get(task_id)
        asked = [each.delay for each in facts.asked if each.attempt == attempt] if facts else []
        return min(asked, default=0.0)
