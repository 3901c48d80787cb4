"""What clients, workers and handlers said of each task."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any

from distributed_queue.testing.proof.faults import Faults
from distributed_queue.testing.proof.records import (
    BadRecord,
    Claimed,
    Control,
    Effect,
    Extended,
    Fault,
    Read,
    Record,
    Settings,
    Settle,
    Submit,
    SubmittedTask,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from distributed_queue.testing.proof.model import ModelTask

SAID: tuple[type[Record], ...] = (Settings, Submit, Claimed, Settle, Extended, Effect, Control, Read, Fault)
"""The records that are gathered here."""
_LONG = 64
PLACES = 1 << 20
"""More tasks than a batch has."""


@dataclass(slots=True)
class Report:
    """An outcome that a worker reported for an attempt."""

    outcome: str
    delay: float
    result: str | None
    counted: bool = False
    """The worker was told that it counted."""


@dataclass(slots=True)
class Attempt:
    """What was said of one attempt; and, further down, what the journal says of it."""

    number: int
    workers: int = 0
    """How many were given its lease."""
    lease_seconds: float = 0.0
    extended_at: float = 0.0
    """When its worker asked for the last extension that was granted."""
    held_until: float = 0.0
    """The end of that extension."""
    extension_unknown: bool = False
    """An extension was asked for that has no known end."""
    lost_at: float = 0.0
    """When its worker was told that the lease is lost."""
    starts: int = 0
    started_at: float = 0.0
    ran_until: float = 0.0
    process: str = ""
    """Where the handler ran."""
    reports: tuple[Report, ...] = ()

    claimed_at: float | None = None
    ended_at: float = 0.0
    ended: str = ""
    """The event that ended it, ``crashed`` if that was the end of the task too."""


@dataclass(slots=True)
class TaskFacts:
    """Everything that was said of one task outside of the storage, and what the journal made of it."""

    submitted: SubmittedTask | None = None
    uncertain: bool = False
    """It was submitted in several versions, and nobody was told which one was stored."""
    place: int = 0
    """The number of its batch, and its place in it; 0 if it was submitted more than once."""
    acknowledged: bool = False
    refused: bool = False
    """A batch that it was in was refused for certain."""
    unanswered: bool = False
    """A batch that it was in got no answer: it may have been stored."""
    stored_answers: int = 0
    """How often the storage said that it stored it anew."""
    attempts: tuple[Attempt, ...] = ()
    reads: tuple[str | None, ...] = ()
    """Results that clients were shown."""

    model: ModelTask | None = None
    listed: bool = False
    """It is in the list of what is stored at the end."""

    def attempt(self, number: int) -> Attempt:
        """What is known of an attempt."""
        for each in self.attempts:
            if each.number == number:
                return each
        made = Attempt(number)
        self.attempts += (made,)
        return made

    def version(self, task: SubmittedTask) -> None:
        """It was submitted like this."""
        if self.submitted is None:
            self.submitted = task
        elif self.submitted != task and not self.stored_answers:
            self.uncertain = True


class Facts:
    """All tasks by queue and id, the queues' settings, and the faults."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, TaskFacts]] = {}
        self.settings: dict[str, Settings] = {}
        self.faults = Faults()
        self.operations = 0
        self.controls: set[tuple[str, str, str]] = set()
        """What operators asked for: queue, verb and task."""
        self.settles = False
        """Whether workers recorded what they reported."""
        self.effects = False
        """Whether handlers recorded what they did."""
        self._batches = 0
        self._takers: dict[type[Record], Callable[[Any], None]] = {
            Submit: self._submit,
            Settle: self._settle,
            Claimed: self._claimed,
            Extended: self._extended,
            Effect: self._effect,
            Control: self._control,
            Read: self._read,
            Settings: self._set_up,
            Fault: self.faults.add,
        }
        self._submits: dict[tuple[str, int], Submit] = {}
        self._reports: dict[tuple[str, int], list[Report]] = {}

    def of(self, queue: str) -> dict[str, TaskFacts]:
        """All that is known of a queue's tasks."""
        return self.tasks.setdefault(queue, {})

    def task(self, queue: str, task_id: str) -> TaskFacts:
        """What is known of a task."""
        tasks = self.of(queue)
        facts = tasks.get(task_id)
        if facts is None:
            facts = tasks[task_id] = TaskFacts()
        return facts

    def gather(self, records: Iterable[Record]) -> None:
        """Take in all records of the kinds in ``SAID``. Raises ``BadRecord``."""
        takers = self._takers
        for record in records:
            self.operations += 1
            takers[type(record)](record)
        for call in self._submits.values():
            self._leave_open(call)
        self._submits.clear()
        self._reports.clear()

    def _leave_open(self, call: Submit) -> None:
        """It will get no answer."""
        for task in call.tasks:
            self.task(call.queue, task.id).unanswered = True

    def _submit(self, record: Submit) -> None:
        key = (record.process, record.call)
        if record.phase == "call":
            if key in self._submits:  # a process of the same name was killed, and counts from 1 again
                self._leave_open(self._submits[key])
            self._submits[key] = record
            self._batches += 1
            for place, task in enumerate(record.tasks, self._batches * PLACES):
                facts = self.task(record.queue, task.id)
                facts.place = 0 if facts.submitted else place
                facts.version(task)
            return
        call = self._submits.pop(key, None)
        if call is None:
            raise BadRecord(f"it answers a call {record.call} of {record.process!r} that is not recorded")
        if record.phase == "ok" and len(record.stored) != len(call.tasks):
            raise BadRecord(f"it has {len(record.stored)} answers for {len(call.tasks)} tasks")
        for index, task in enumerate(call.tasks):
            facts = self.task(call.queue, task.id)
            if record.phase == "fail":
                facts.refused = True
            elif record.phase == "unknown":
                facts.unanswered = True
            else:
                facts.acknowledged = True
                if record.stored[index]:
                    facts.stored_answers += 1
                    facts.submitted, facts.uncertain = task, False

    def _settle(self, record: Settle) -> None:
        key = (record.process, record.call)
        if record.phase == "call":
            self.settles = True
            reports = self._reports[key] = []
            for task in record.tasks:
                report = Report(task.outcome, task.delay, fingerprint(task.result))
                reports.append(report)
                self.task(record.queue, task.id).attempt(task.attempt).reports += (report,)
            return
        asked = self._reports.pop(key, None)
        if asked is None:
            raise BadRecord(f"it answers a call {record.call} of {record.process!r} that is not recorded")
        if record.phase == "ok":
            if len(record.counted) != len(asked):
                raise BadRecord(f"it has {len(record.counted)} answers for {len(asked)} outcomes")
            for report, counted in zip(asked, record.counted, strict=True):
                report.counted = counted

    def _claimed(self, record: Claimed) -> None:
        self.faults.workers.add(record.process)
        for task_id, number in record.tasks:
            attempt = self.task(record.queue, task_id).attempt(number)
            attempt.lease_seconds = record.lease_seconds
            attempt.workers += 1

    def _extended(self, record: Extended) -> None:
        known = record.phase == "ok" and record.asked_at
        if known and len(record.states) != len(record.tasks):
            raise BadRecord(f"it has {len(record.states)} answers for {len(record.tasks)} leases")
        for index, (task_id, number) in enumerate(record.tasks):
            attempt = self.task(record.queue, task_id).attempt(number)
            if not known:
                attempt.extension_unknown = True
            elif record.states[index] == "lost":
                attempt.lost_at = record.answered_at
            else:
                attempt.extension_unknown = False
                attempt.extended_at = max(attempt.extended_at, record.asked_at)
                attempt.held_until = max(attempt.held_until, record.asked_at + record.lease_seconds)

    def _effect(self, record: Effect) -> None:
        attempt = self.task(record.queue, record.id).attempt(record.attempt)
        attempt.ran_until = max(attempt.ran_until, record.at)
        if record.step == "start":
            self.effects = True
            attempt.starts += 1
            attempt.started_at = record.at
            attempt.process = intern(record.process)

    def _control(self, record: Control) -> None:
        self.controls.add((record.queue, record.verb, ""))
        self.controls.update((record.queue, record.verb, task_id) for task_id in record.ids)

    def _read(self, record: Read) -> None:
        self.task(record.queue, record.id).reads += (fingerprint(record.result),)

    def _set_up(self, record: Settings) -> None:
        self.settings[record.queue] = record


def fingerprint(result: str | None) -> str | None:
    """The result, or what stands for it if it is long: so memory does not grow with results."""
    if result is None or len(result) <= _LONG:
        return result
    return hashlib.sha256(result.encode()).hexdigest()
