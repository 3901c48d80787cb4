"""Holding what was said against what the journal tells and against what is stored at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.testing.proof.facts import fingerprint
from distributed_queue.testing.proof.model import FINISHED, GONE, TRIMMED
from distributed_queue.testing.proof.violations import Check, Tolerance, Violations

if TYPE_CHECKING:
    from distributed_queue.testing.proof.facts import Attempt, Facts, TaskFacts
    from distributed_queue.testing.proof.model import ModelTask
    from distributed_queue.testing.proof.records import Drained, Final

_ENDS: dict[str, frozenset[str]] = {
    "complete": frozenset({"completed"}),
    "retry": frozenset({"retrying", "cancelled"}),
    "bury": frozenset({"dead"}),
    "release": frozenset({"released", "cancelled"}),
    "snooze": frozenset({"snoozed", "cancelled"}),
    "cancel": frozenset({"cancelled"}),
}
"""Outcome to the events that it may have led to."""
_BY_ITSELF = frozenset({"", "lease_expired", "crashed", "cancelled"})
"""Ends of an attempt that need no worker to report them."""


class QueueChecks:
    """All the comparisons for one queue, after its journal was replayed."""

    def __init__(
        self, queue: str, facts: Facts, violations: Violations, *, tolerance: Tolerance, end: Drained | None
    ) -> None:
        self._queue = queue
        self._facts = facts
        self._tasks = facts.of(queue)
        self._violations = violations
        self._grace = tolerance.grace_seconds
        self._handlers_stop = tolerance.handlers_stop
        settings = facts.settings.get(queue)
        self._claims_last = settings is None or settings.claims_last
        self._drained = end is not None
        self._trimmed = end.trimmed if end else 0

    def stored(self, final: Final) -> None:
        """Check a task as it is stored at the end."""
        said = self._tasks.get(final.id)
        model = said.model if said else None
        if said is None or model is None or model.status == GONE:
            self._found(Check.STATE, final.id, "is stored, and the journal does not know it")
            return
        if said.listed:
            self._found(Check.STORED_TWICE, final.id, "is there twice at the end")
        said.listed = True
        if (final.status, final.attempt) != (model.status, model.attempt):
            self._found(
                Check.STATE,
                final.id,
                f"is {final.status} at attempt {final.attempt}; by the journal {model.status} at {model.attempt}",
            )
        result = fingerprint(final.result)
        if final.status == "completed":
            reported = self._results(said, final.attempt)
            if reported and result not in reported:
                self._found(Check.WRONG_RESULT, final.id, "the stored result is not what the attempt reported")
            if any(read != result for read in said.reads):
                self._found(Check.WRONG_RESULT, final.id, "a client was shown a result that is not the stored one")

    def finish(self) -> None:
        """Check every task that anybody knows of, after all that are stored."""
        for task_id, said in self._tasks.items():
            model = said.model
            self._submitted(task_id, said)
            if model is None or model.lives == 1:
                for attempt in said.attempts:
                    self._attempt(task_id, attempt)
                self._completed(task_id, said, model)
            if model is not None and model.status != GONE:
                self._left(task_id, said, model)

    def _found(self, check: Check, task_id: str, message: str) -> None:
        self._violations.add(check, self._queue, task_id, message)

    def _submitted(self, task_id: str, said: TaskFacts) -> None:
        model = said.model
        if said.submitted is None and model is None:
            self._found(Check.INVENTED, task_id, "was worked on and never submitted")
        if said.acknowledged and model is None:
            self._found(Check.LOST, task_id, "was acknowledged, and there is no trace of it")
        if said.refused and not said.acknowledged and not said.unanswered and model is not None:
            self._found(Check.INVENTED, task_id, "was refused, and is stored all the same")
        if said.stored_answers > (1 if model is None else model.lives):
            self._found(Check.STORED_TWICE, task_id, f"was acknowledged as new {said.stored_answers} times")

    # Attempts

    def _attempt(self, task_id: str, attempt: Attempt) -> None:
        if self._claims_last:
            self._lease(task_id, attempt)
        self._outcomes(task_id, attempt)

    def _lease(self, task_id: str, attempt: Attempt) -> None:
        number = attempt.number
        if attempt.starts > 1:
            self._found(Check.DUPLICATE_RUN, task_id, f"attempt {number} ran {attempt.starts} times")
        if attempt.workers > 1:
            self._found(Check.DUPLICATE_RUN, task_id, f"attempt {number} was leased to {attempt.workers} workers")
        if attempt.claimed_at is None and (attempt.starts or attempt.workers):
            self._found(Check.RUN_WITHOUT_LEASE, task_id, f"attempt {number} was at work and never leased")
        elif attempt.ended:
            self._after_the_end(task_id, attempt)

    def _after_the_end(self, task_id: str, attempt: Attempt) -> None:
        """What a worker did when its lease was over, and when it had been told so."""
        number, end, faults = attempt.number, attempt.ended_at + self._grace, self._facts.faults
        if attempt.extended_at > end and not faults.clocks_jumped:
            late = attempt.extended_at - attempt.ended_at
            self._found(
                Check.LEASE_OVERLAP, task_id, f"attempt {number} was said to be held {late:.3f} s after its end"
            )
        if attempt.started_at > end and not faults.excuse(attempt.process, attempt.ended_at, attempt.started_at):
            late = attempt.started_at - attempt.ended_at
            self._found(Check.RUN_WITHOUT_LEASE, task_id, f"attempt {number} started {late:.3f} s after it had ended")
        if not self._handlers_stop or not attempt.lost_at or attempt.ran_until <= attempt.lost_at + self._grace:
            return
        if not faults.excuse(attempt.process, attempt.lost_at, attempt.ran_until):
            late = attempt.ran_until - attempt.lost_at
            self._found(Check.RUN_WITHOUT_LEASE, task_id, f"attempt {number} went on {late:.3f} s after it was lost")

    def _outcomes(self, task_id: str, attempt: Attempt) -> None:
        number, ended = attempt.number, attempt.ended
        for report in attempt.reports:
            if report.counted and ended not in _ENDS[report.outcome]:
                told = f"attempt {number} was told that its {report.outcome} counted"
                self._found(Check.UNKEPT_OUTCOME, task_id, f"{told}, but the journal has {ended or 'nothing'}")
        if (
            self._facts.settles
            and ended not in _BY_ITSELF
            and not any(ended in _ENDS[report.outcome] for report in attempt.reports)
        ):
            self._found(Check.UNASKED_OUTCOME, task_id, f"attempt {number} is {ended}, which nobody reported")

    def _completed(self, task_id: str, said: TaskFacts, model: ModelTask | None) -> None:
        counted = [
            attempt.number
            for attempt in said.attempts
            if any(report.counted and report.outcome == "complete" for report in attempt.reports)
        ]
        if len(counted) > 1:
            self._found(Check.SECOND_OUTCOME, task_id, f"attempts {sorted(counted)} were all told that they counted")
        if model is None or model.status == GONE:
            return
        if model.status != "completed":
            if any(read is not None for read in said.reads):
                self._found(Check.WRONG_RESULT, task_id, f"a client was shown a result, and it is {model.status}")
            return
        results = self._results(said, model.attempt)
        if results and any(read not in results for read in said.reads):
            self._found(Check.WRONG_RESULT, task_id, "a client was shown a result that the attempt did not report")
        attempt = said.attempt(model.attempt)
        if not attempt.starts and (self._facts.effects or not attempt.reports):
            self._found(Check.RUN_WITHOUT_LEASE, task_id, f"is completed by attempt {model.attempt}, which never ran")

    def _results(self, said: TaskFacts, number: int) -> set[str | None]:
        """What an attempt reported as the task's result, in each of its reports."""
        return {report.result for report in said.attempt(number).reports if report.outcome == "complete"}

    # The end

    def _left(self, task_id: str, said: TaskFacts, model: ModelTask) -> None:
        if not self._drained:
            return
        if model.status not in FINISHED:
            self._found(Check.UNFINISHED, task_id, f"is {model.status} although the queue was let run empty")
        if said.listed:
            return
        if model.status in TRIMMED and self._trimmed > 0:
            self._trimmed -= 1
        else:
            self._found(Check.LOST, task_id, f"should be stored as {model.status}, and is not")
