"""What clients, workers and handlers said of each task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distributed_queue.testing.proof.records import (
    Claimed,
    Effect,
    Extended,
    Fault,
    Read,
    Record,
    Settings,
    Settle,
    SettledTask,
    Submit,
    SubmittedTask,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(slots=True)
class TaskFacts:
    """Everything that was said of one task outside of the storage."""

    submitted: SubmittedTask | None = None
    acknowledged: bool = False
    refused: bool = False
    """A batch that it was in was refused for certain."""
    unanswered: bool = False
    """A batch that it was in got no answer: it may have been stored."""
    stored_answers: int = 0
    """How often the storage said that it stored it anew."""
    leases: dict[int, float] = field(default_factory=dict)
    """Attempt to lease length, in seconds."""
    lease_answers: dict[int, int] = field(default_factory=dict)
    """Attempt to the number of workers that were given it."""
    extended: set[int] = field(default_factory=set)
    """Attempts whose lease was extended."""
    asked: list[SettledTask] = field(default_factory=list)
    """Outcomes that workers reported."""
    counted: list[SettledTask] = field(default_factory=list)
    """Those of them that were answered with yes."""
    starts: list[int] = field(default_factory=list)
    """The attempts under which a handler started."""
    reads: list[str | None] = field(default_factory=list)
    """Results that clients were shown."""


class Facts:
    """All tasks by queue and id, the queues' settings, and the faults."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, TaskFacts]] = {}
        self.settings: dict[str, Settings] = {}
        self.faults: list[Fault] = []
        self.operations = 0
        self._takers: dict[type[Record], Callable[[Any], None]] = {
            Submit: self._submit,
            Settle: self._settle,
            Claimed: self._claimed,
            Extended: self._extended,
            Effect: self._effect,
            Read: self._read,
            Settings: self._set_up,
            Fault: self.faults.append,
        }
        self._open_submits: dict[tuple[str, int], Submit] = {}
        self._open_settles: dict[tuple[str, int], Settle] = {}

    def task(self, queue: str, task_id: str) -> TaskFacts:
        """What is known of a task."""
        tasks = self.tasks.setdefault(queue, {})
        facts = tasks.get(task_id)
        if facts is None:
            facts = tasks[task_id] = TaskFacts()
        return facts

    def gather(self, records: Iterable[Record]) -> None:
        """Take in records; those of journals and final states are passed over."""
        for record in records:
            self.operations += 1
            take = self._takers.get(type(record))
            if take is not None:
                take(record)

    def close(self) -> None:
        """There are no more records: calls that are still open got no answer."""
        for call in self._open_submits.values():
            for task in call.tasks:
                self.task(call.queue, task.id).unanswered = True

    def _submit(self, record: Submit) -> None:
        key = (record.process, record.call)
        if record.phase == "call":
            self._open_submits[key] = record
            for task in record.tasks:
                facts = self.task(record.queue, task.id)
                facts.submitted = facts.submitted or task
            return
        call = self._open_submits.pop(key)
        for index, task in enumerate(call.tasks):
            facts = self.task(call.queue, task.id)
            if record.phase == "ok":
                facts.acknowledged = True
                facts.stored_answers += record.stored[index]
            elif record.phase == "fail":
                facts.refused = True
            else:
                facts.unanswered = True

    def _settle(self, record: Settle) -> None:
        key = (record.process, record.call)
        if record.phase == "call":
            self._open_settles[key] = record
            for settled in record.tasks:
                self.task(record.queue, settled.id).asked.append(settled)
            return
        call = self._open_settles.pop(key)
        if record.phase == "ok":
            for settled, counted in zip(call.tasks, record.counted, strict=True):
                if counted:
                    self.task(call.queue, settled.id).counted.append(settled)

    def _claimed(self, record: Claimed) -> None:
        for task_id, attempt in record.tasks:
            facts = self.task(record.queue, task_id)
            facts.leases[attempt] = record.lease_seconds
            facts.lease_answers[attempt] = facts.lease_answers.get(attempt, 0) + 1

    def _extended(self, record: Extended) -> None:
        for task_id, attempt in record.tasks:
            self.task(record.queue, task_id).extended.add(attempt)

    def _effect(self, record: Effect) -> None:
        if record.step == "start":
            self.task(record.queue, record.id).starts.append(record.attempt)

    def _read(self, record: Read) -> None:
        self.task(record.queue, record.id).reads.append(record.result)

    def _set_up(self, record: Settings) -> None:
        self.settings[record.queue] = record
