"""Holding what was said against what the journal tells and against what is stored at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.testing.proof.violations import Check, Violations

if TYPE_CHECKING:
    from distributed_queue.testing.proof.facts import TaskFacts
    from distributed_queue.testing.proof.records import Final
    from distributed_queue.testing.proof.replay import ModelTask, QueueReplay

_FINISHED = frozenset({"completed", "dead", "cancelled", "expired"})
_EVENT = {
    "complete": {"completed"},
    "retry": {"retrying", "cancelled"},
    "bury": {"dead"},
    "release": {"released", "cancelled", "lease_expired"},
    "snooze": {"snoozed", "cancelled"},
    "cancel": {"cancelled"},
}
"""Outcome to the events that it may have led to. A release that comes after the lease ran out changes nothing more."""


class QueueChecks:
    """All the comparisons for one queue."""

    def __init__(
        self,
        replay: QueueReplay,
        finals: dict[str, Final],
        violations: Violations,
        *,
        drained: bool,
        complete_dump: bool,
    ) -> None:
        self._replay = replay
        self._finals = finals
        self._violations = violations
        self._drained = drained
        self._complete_dump = complete_dump

    def run(self, facts: dict[str, TaskFacts]) -> None:
        """Check every task that anybody knows of."""
        for task_id, said in facts.items():
            model, final = self._replay.tasks.get(task_id), self._finals.get(task_id)
            self._submitted(task_id, said, model)
            self._outcomes(task_id, said, model)
            self._runs(task_id, said, model)
            if final is not None:
                self._result(task_id, said, final)
        for task_id, model in self._replay.tasks.items():
            self._stored(task_id, model, self._finals.get(task_id))
        for task_id in self._finals.keys() - self._replay.tasks.keys():
            self._found(Check.STATE, task_id, "is stored, and the journal does not know it")

    def _found(self, check: Check, task_id: str, message: str) -> None:
        self._violations.add(check, self._replay.queue, task_id, message)

    def _submitted(self, task_id: str, said: TaskFacts, model: ModelTask | None) -> None:
        if said.submitted is None and model is None:
            self._found(Check.INVENTED, task_id, "was worked on and never submitted")
        gone = task_id in self._replay.deleted
        if said.acknowledged and model is None and not gone:
            self._found(Check.LOST, task_id, "was acknowledged, and there is no trace of it")
        if said.refused and not said.acknowledged and not said.unanswered and model is not None:
            self._found(Check.INVENTED, task_id, "was refused, and is stored all the same")
        if said.stored_answers > 1 and not gone:
            self._found(Check.STORED_TWICE, task_id, f"was acknowledged as new {said.stored_answers} times")

    def _outcomes(self, task_id: str, said: TaskFacts, model: ModelTask | None) -> None:
        if task_id in self._replay.deleted:
            return
        completed = {settled.attempt for settled in said.counted if settled.outcome == "complete"}
        if len(completed) > 1 and (model is None or model.endings == 1):
            self._found(Check.SECOND_OUTCOME, task_id, f"attempts {sorted(completed)} were all told that they counted")
        for settled in said.counted:
            event = None if model is None else model.outcomes.get(settled.attempt)
            if event not in _EVENT[settled.outcome]:
                told = f"attempt {settled.attempt} was told that its {settled.outcome} counted"
                self._found(Check.UNKEPT_OUTCOME, task_id, f"{told}, but the journal has {event or 'nothing'}")

    def _runs(self, task_id: str, said: TaskFacts, model: ModelTask | None) -> None:
        for attempt in set(said.starts):
            if said.starts.count(attempt) > 1:
                self._found(Check.DUPLICATE_RUN, task_id, f"attempt {attempt} ran {said.starts.count(attempt)} times")
            if model is not None and attempt > model.attempt:
                self._found(Check.RUN_WITHOUT_LEASE, task_id, f"attempt {attempt} ran and was never leased")
        for attempt, answers in said.lease_answers.items():
            if answers > 1:
                self._found(Check.DUPLICATE_RUN, task_id, f"attempt {attempt} was leased to {answers} workers")
        reported = any(settled.outcome == "complete" for settled in said.asked)
        if model is not None and model.status == "completed" and not said.starts and not reported:
            self._found(Check.RUN_WITHOUT_LEASE, task_id, "is completed and never ran")

    def _result(self, task_id: str, said: TaskFacts, final: Final) -> None:
        accepted = [settled.result for settled in said.asked if settled.outcome == "complete"]
        exact = [s.result for s in said.asked if s.outcome == "complete" and s.attempt == final.attempt]
        if final.status == "completed" and accepted and final.result not in (exact or accepted):
            self._found(Check.WRONG_RESULT, task_id, "the stored result is not what the accepted attempt reported")
        for result in said.reads:
            if final.status == "completed" and result != final.result:
                self._found(Check.WRONG_RESULT, task_id, "a client was shown a result that is not the stored one")

    def _stored(self, task_id: str, model: ModelTask, final: Final | None) -> None:
        if self._drained and model.status not in _FINISHED:
            self._found(Check.UNFINISHED, task_id, f"is {model.status} although the queue was let run empty")
        if final is None:
            if self._complete_dump:
                self._found(Check.LOST, task_id, f"should be stored as {model.status}, and is not")
            return
        if (final.status, final.attempt) != (model.status, model.attempt):
            self._found(
                Check.STATE,
                task_id,
                f"is {final.status} at attempt {final.attempt}; by the journal {model.status} at {model.attempt}",
            )
