"""Replaying a queue's journal on a model of the queue, step by step.

The journal is totally ordered and each entry is one atomic step on the storage's clock, so order, leases, limits and
times can be judged exactly.
"""

from __future__ import annotations

import math
from sys import intern
from typing import TYPE_CHECKING

from distributed_queue.testing.proof.facts import PLACES, TaskFacts
from distributed_queue.testing.proof.line import Line, Rate
from distributed_queue.testing.proof.model import (
    ASKED_FOR,
    BEFORE,
    ENDS_LEASE,
    GOES_ON,
    GONE,
    QUEUE_EVENTS,
    UNKNOWN_PRIORITY,
    WAITING,
    ModelTask,
)
from distributed_queue.testing.proof.records import Settings
from distributed_queue.testing.proof.violations import Check, Violations

if TYPE_CHECKING:
    from distributed_queue.testing.proof.facts import Attempt, Facts
    from distributed_queue.testing.proof.records import Journalled

_MS = 0.001
_SKEW = 0.05
"""Seconds by which a worker's clock may be ahead of the storage's."""
_NOTICEABLE = 0.1
"""Seconds of lateness for which it is asked whether something stood in the way."""


class QueueReplay:
    """One queue; ``apply`` takes its journal entries in order."""

    def __init__(self, queue: str, facts: Facts, violations: Violations) -> None:
        self.queue = queue
        self.lateness: list[float] = []
        """Seconds from the end of a lease, or of what kept all workers from working, until it was taken back."""
        self.lease_expiries = 0
        self._tasks = facts.of(queue)
        self._faults = facts.faults
        self._controls = facts.controls
        self._settings = facts.settings.get(queue) or Settings(queue=queue)
        self._violations = violations
        self._position = 0
        self._at = 0.0
        self._open = 0
        self._depth = 0
        self._line = Line()
        self._rate = Rate(self._settings)
        self._lost: dict[str, ModelTask] = {}
        self._paused = False
        self._work: dict[str, str] = {}
        self._place = 0
        self._due = 0.0

    def apply(self, entry: Journalled) -> None:
        """Take the next entry."""
        at = entry.at
        if entry.position != self._position + 1:
            self._found(Check.JOURNAL_GAP, "", f"position {entry.position} follows {self._position}")
        if at < self._at:
            self._found(Check.JOURNAL_GAP, "", f"at {entry.position} time runs from {self._at} back to {at}")
        self._position, self._at = entry.position, max(self._at, at)
        self._place, self._due, arrived = 0, 0.0, False
        for event, task_id, number, detail in entry.changes:
            if self._lost and not (task_id in self._lost and event in {"dead", "cancelled"}):
                self._settle_lost()
            if event == "enqueued":
                self._enqueued(task_id, at)
                arrived = True
            elif event in QUEUE_EVENTS:
                self._control(event)
            else:
                self._change(event, task_id, number, detail, at)
        if self._lost:
            self._settle_lost()
        limit = self._settings.max_size
        if arrived and limit is not None and self._depth > limit:
            self._found(Check.SIZE, "", f"{self._depth} tasks wait where {limit} may (entry {entry.position})")

    def _found(self, check: Check, task_id: str, message: str) -> None:
        self._violations.add(check, self.queue, task_id, message)

    # What arrives

    def _enqueued(self, task_id: str, at: float) -> None:
        facts = self._tasks.get(task_id)
        if facts is None:
            facts = self._tasks[task_id] = TaskFacts()
        former = facts.model
        if former is not None and former.status != GONE:
            self._found(Check.STORED_TWICE, task_id, "was stored while it was stored already")
            return
        task = self._new(task_id, facts, at)
        if former is not None:
            task.lives = former.lives + 1
        facts.model = task
        self._depth += 1
        if task.not_before > at + _MS / 2:
            task.status = "scheduled"
        elif task.status == "pending":
            self._line.join(task_id, task)

    def _new(self, task_id: str, facts: TaskFacts, at: float) -> ModelTask:
        submitted = facts.submitted
        if submitted is None:
            self._found(Check.INVENTED, task_id, "was stored and never submitted")
            return ModelTask("pending", UNKNOWN_PRIORITY)
        if submitted.work is not None and self._work.setdefault(submitted.work, task_id) != task_id:
            self._found(Check.STORED_TWICE, task_id, f"is for the same work as {self._work[submitted.work]}")
        if facts.uncertain:
            return ModelTask("arrived", UNKNOWN_PRIORITY)
        if facts.place:
            if self._place // PLACES == facts.place // PLACES and self._place > facts.place:
                self._found(Check.ORDER, task_id, "was stored behind tasks of its batch that it stood in front of")
            self._place = facts.place
        due = max(submitted.execute_after or 0.0, at + submitted.delay if submitted.delay else 0.0)
        expires = math.inf if submitted.expires_at is None else submitted.expires_at
        return ModelTask("pending", submitted.priority, not_before=due, expires_at=expires)

    def _control(self, event: str) -> None:
        if event in {"paused", "resumed"}:
            self._paused = event == "paused"
        elif event == "cleared":
            for facts in self._tasks.values():
                if facts.model is not None:
                    facts.model.status = GONE
            self._open = self._depth = 0
            self._check_asked(event, "clear", "")

    # What changes

    def _change(self, event: str, task_id: str, number: int, detail: str, at: float) -> None:
        facts = self._tasks.get(task_id)
        task = facts.model if facts is not None else None
        if facts is None or task is None or task.status == GONE:
            self._found(Check.JOURNAL_MOVE, task_id, f"{event} although it is not stored")
            return
        status = task.status
        if status not in BEFORE.get(event, ()):
            self._misplaced(event, task_id, task, number)
            if event in {"completed", "claimed"}:
                self._force(event, facts, task, number, at)
            return
        if event == "claimed":
            self._claimed(task_id, facts, task, number, at)
            return
        if status in {"processing", "lost"} and event != "cancel_requested":
            if number != task.attempt:
                self._found(
                    Check.STALE_OUTCOME, task_id, f"{event} by attempt {number} while {task.attempt} is at work"
                )
                return
            if event in ENDS_LEASE:
                crashed = status == "lost" and event == "dead"
                self._end_attempt(facts.attempt(number), "crashed" if crashed else event, at)
        if event in GOES_ON and task.cancel_requested:
            self._found(Check.JOURNAL_MOVE, task_id, f"{event} although its cancellation was asked for")
        if event in ASKED_FOR and not (event == "cancelled" and status in {"processing", "lost"}):
            self._check_asked(event, ASKED_FOR[event], task_id)
        self._move(event, task_id, facts, task, detail, at)

    def _end_attempt(self, attempt: Attempt, event: str, at: float) -> None:
        attempt.ended, attempt.ended_at = intern(event), at

    def _misplaced(self, event: str, task_id: str, task: ModelTask, number: int) -> None:
        if event == "completed" and task.status == "completed":
            self._found(Check.SECOND_OUTCOME, task_id, f"completed again, by attempt {number}")
        elif event == "claimed" and task.status == "processing":
            self._found(Check.LEASE_OVERLAP, task_id, f"attempt {number} was claimed while {task.attempt} is at work")
        elif event in ENDS_LEASE:
            self._found(Check.STALE_OUTCOME, task_id, f"{event} by attempt {number} although it is {task.status}")
        else:
            self._found(Check.JOURNAL_MOVE, task_id, f"{event} although it is {task.status}")

    def _force(self, event: str, facts: TaskFacts, task: ModelTask, number: int, at: float) -> None:
        """Follow the journal after a violation, so that one mistake is not reported a hundred times."""
        task.attempt = number
        if event == "claimed":
            facts.attempt(number).claimed_at = at
        else:
            self._end_attempt(facts.attempt(number), event, at)

    def _claimed(self, task_id: str, facts: TaskFacts, task: ModelTask, number: int, at: float) -> None:
        if number != task.attempt + 1:
            self._found(Check.ATTEMPTS, task_id, f"attempt {number} follows {task.attempt}")
        if at < task.not_before - _MS / 2:
            self._found(Check.EARLY, task_id, f"claimed {task.not_before - at:.3f} s before its time")
        if at >= task.expires_at:
            self._found(Check.EXPIRED_RUN, task_id, f"claimed {at - task.expires_at:.3f} s after it expired")
        if self._paused:
            self._found(Check.PAUSED, task_id, f"attempt {number} was claimed")
        if self._settings.strict_order and task.priority != UNKNOWN_PRIORITY:
            before = self._line.overtaken(task)
            if before is not None:
                self._found(Check.ORDER, task_id, f"claimed before {before}, which was in front of it")
        task.status, task.attempt = "processing", number
        facts.attempt(number).claimed_at = at
        self._depth -= 1
        self._open += 1
        limit = self._settings.concurrency
        if limit is not None and self._open > limit:
            self._found(Check.CONCURRENCY, task_id, f"{self._open} leases are open where {limit} may be")
        if not self._rate.start(at):
            self._found(Check.RATE, task_id, "started although what the rate and the burst allow is used up")

    def _move(self, event: str, task_id: str, facts: TaskFacts, task: ModelTask, detail: str, at: float) -> None:
        if event in {"completed", "dead", "cancelled", "expired", "deleted"}:
            self._end(event, task_id, facts, task, detail, at)
        elif event == "due":
            self._fell_due(task_id, task, at)
        elif event == "requeued":
            self._leave(task, "pending")
            task.crashes, task.not_before, task.expires_at = 0, 0.0, math.inf
            task.cancel_requested = False
            self._line.join(task_id, task)
        elif event == "released":
            self._leave(task, "pending")
            self._line.stand(task_id, task)
        elif event == "lease_expired":
            self._lease_expired(task_id, facts, task, at)
        elif event in GOES_ON:
            self._leave(task, "retrying" if event == "retrying" else "scheduled")
            delays = {report.delay for report in facts.attempt(task.attempt).reports}
            task.not_before, task.due_known = at + min(delays, default=0.0), len(delays) == 1
        elif event == "cancel_requested":
            task.cancel_requested = True
        elif event == "updated" and task.status != "processing":
            # What it was changed to is not in the journal: its order and time cannot be judged any more.
            task.priority, task.not_before = UNKNOWN_PRIORITY, 0.0

    def _check_asked(self, event: str, verb: str, task_id: str) -> None:
        if self._settings.controls_recorded and (self.queue, verb, task_id) not in self._controls:
            self._found(Check.UNASKED_OUTCOME, task_id, f"{event}, which nobody asked for")

    def _fell_due(self, task_id: str, task: ModelTask, at: float) -> None:
        if at < task.not_before - _MS / 2:
            self._found(Check.EARLY, task_id, f"became ready {task.not_before - at:.3f} s before its time")
        if task.due_known and task.priority != UNKNOWN_PRIORITY and self._settings.strict_order:
            if task.not_before < self._due - 2 * _MS:
                self._found(Check.ORDER, task_id, "became ready after others of this step that were due later")
            self._due = task.not_before
        self._leave(task, "pending")
        self._line.join(task_id, task)

    def _end(self, event: str, task_id: str, facts: TaskFacts, task: ModelTask, detail: str, at: float) -> None:
        if event == "dead":
            crashed = task.status == "lost"
            if crashed != (detail == "crashed") or (crashed and task.crashes < self._settings.max_crashes):
                self._found(Check.CRASH_LIMIT, task_id, f"dead as {detail!r} after {task.crashes} crashes")
        if event == "expired" and at < task.expires_at - _MS and task.priority != UNKNOWN_PRIORITY:
            self._found(Check.EXPIRED_RUN, task_id, f"expired {task.expires_at - at:.3f} s before its time")
        if event == "cancelled" and task.status == "pending" and task.attempt:
            attempt = facts.attempt(task.attempt)
            if attempt.ended == "lease_expired":  # its worker is answered as if it had been told to cancel
                attempt.ended = "cancelled"
        self._lost.pop(task_id, None)
        self._leave(task, intern(event))

    # Leases that ran out

    def _lease_expired(self, task_id: str, facts: TaskFacts, task: ModelTask, at: float) -> None:
        self.lease_expiries += 1
        task.crashes += 1
        attempt = facts.attempt(task.attempt)
        self._end_attempt(attempt, "lease_expired", at)
        if attempt.workers and attempt.claimed_at is not None:
            end = attempt.claimed_at + attempt.lease_seconds
            held = max(end, attempt.held_until)
            if self._settings.claims_last and not self._faults.clocks_jumped:
                end = held
            if at < end - (_SKEW if attempt.held_until else _MS):
                self._found(Check.LEASE_OVERLAP, task_id, f"its lease was taken back {end - at:.3f} s before its end")
            elif not attempt.extension_unknown:
                late = max(0.0, at - held)  # an extension that a fail-over did not undo counts, too
                if late > _NOTICEABLE:
                    late = 0.0 if self._faults.clocks_jumped else at - self._faults.over(held, at)
                self.lateness.append(late)
        self._leave(task, "lost")
        self._lost[task_id] = task

    def _settle_lost(self) -> None:
        """Tasks whose leases ran out, and that were not buried right away, are ready at their old place."""
        for task_id, task in self._lost.items():
            if task.crashes >= self._settings.max_crashes:
                self._found(Check.CRASH_LIMIT, task_id, f"ready again after {task.crashes} crashes")
            if task.cancel_requested:
                self._found(Check.JOURNAL_MOVE, task_id, "ready again although its cancellation was asked for")
            task.status = "pending"
            self._depth += 1
            self._line.stand(task_id, task)
        self._lost.clear()

    def _leave(self, task: ModelTask, status: str) -> None:
        """Change the state, and what is counted by state."""
        self._open -= task.status == "processing"
        self._depth += (status in WAITING) - (task.status in WAITING)
        task.status = status
