"""Telling histories step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed_queue.testing.proof.records import (
    Claimed,
    Control,
    Drained,
    Effect,
    Extended,
    Fault,
    Final,
    Journalled,
    Read,
    Settings,
    Settle,
    SettledTask,
    Submit,
    SubmittedTask,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.testing.proof.records import Record
    from distributed_queue.testing.proof.violations import Check

Q = "q"
LEASE = 30.0


class Story:
    """A history: what the clients see and what the journal says go together unless told apart."""

    def __init__(self, **settings: Any) -> None:
        self.records: list[Record] = [Settings(queue=Q, **settings)]
        self.position = 0
        self.calls = 0

    # The storage

    def journal(self, at: float, *changes: tuple[Any, ...], position: int | None = None, queue: str = Q) -> Story:
        """An entry: events with their task, attempt and detail."""
        self.position = self.position + 1 if position is None else position
        full = [(*each, *(0, "")[len(each) - 2 :]) for each in changes]
        return self.add(Journalled(queue=queue, position=self.position, at=at, changes=full))

    def final(self, task_id: str, status: str = "completed", attempt: int = 1, **fields: Any) -> Story:
        """A task as it is stored at the end."""
        return self.add(Final(queue=Q, id=task_id, status=status, attempt=attempt, **fields))

    def drained(self, trimmed: int = 0) -> Story:
        """The queue was let run empty."""
        return self.add(Drained(queue=Q, trimmed=trimmed))

    # Clients

    def submit(self, *tasks: SubmittedTask, phase: str = "ok", stored: bool = True) -> Story:
        """A batch, and its answer; none with the phase ``call``."""
        self.calls += 1
        self.add(Submit(process="c", call=self.calls, phase="call", queue=Q, tasks=list(tasks)))
        if phase != "call":
            answers = [stored] * len(tasks) if phase == "ok" else []
            self.add(Submit(process="c", call=self.calls, phase=phase, stored=answers))  # type: ignore[arg-type]
        return self

    def ask(self, *ids: str, **how: Any) -> Story:
        """As ``submit``, of plain tasks."""
        return self.submit(*(SubmittedTask(task_id, 5) for task_id in ids), **how)

    def put(self, at: float, *ids: str, priority: int = 5, **fields: Any) -> Story:
        """A batch that is acknowledged and stored."""
        self.submit(*(SubmittedTask(task_id, priority, **fields) for task_id in ids))
        return self.journal(at, *(("enqueued", task_id) for task_id in ids))

    def read(self, task_id: str, result: str | None) -> Story:
        """A client was shown a result."""
        return self.add(Read(queue=Q, id=task_id, result=result))

    def control(self, verb: str, *ids: str) -> Story:
        """An operator asks for something."""
        return self.add(Control(process="o", queue=Q, verb=verb, ids=list(ids)))  # type: ignore[arg-type]

    # Workers

    def lease(self, task_id: str, attempt: int, seconds: float = LEASE, worker: str = "w") -> Story:
        """A worker is given a lease."""
        return self.add(
            Claimed(process=worker, queue=Q, worker=worker, lease_seconds=seconds, tasks=[(task_id, attempt)])
        )

    def run(self, task_id: str, attempt: int, at: float = 0.0, step: str = "start") -> Story:
        """A handler writes that it starts, or ends."""
        return self.add(Effect(process="w", queue=Q, id=task_id, attempt=attempt, step=step, at=at))  # type: ignore[arg-type]

    def claim(self, at: float, task_id: str, attempt: int = 1, seconds: float = LEASE) -> Story:
        """A task is claimed and its handler starts."""
        self.lease(task_id, attempt, seconds).run(task_id, attempt, at)
        return self.journal(at, ("claimed", task_id, attempt, "w"))

    def extend(
        self, at: float, task_id: str, attempt: int = 1, state: str = "held", phase: str = "ok", seconds: float = LEASE
    ) -> Story:
        """A worker asks for an extension, and is answered unless the phase is ``call``."""
        common: dict[str, Any] = {
            "process": "w",
            "queue": Q,
            "lease_seconds": seconds,
            "tasks": [(task_id, attempt)],
            "asked_at": at,
        }
        self.add(Extended(phase="call", **common))
        return self if phase == "call" else self.add(Extended(answered_at=at, states=[state], **common))

    def report(
        self, task_id: str, attempt: int = 1, outcome: str = "complete", counted: bool | None = True, **fields: Any
    ) -> Story:
        """A worker reports an outcome; ``counted`` is the answer, None if there was none."""
        self.calls += 1
        settled = [SettledTask(task_id, attempt, outcome, **fields)]  # type: ignore[arg-type]
        self.add(Settle(process="w", call=self.calls, phase="call", queue=Q, tasks=settled))
        if counted is not None:
            self.add(Settle(process="w", call=self.calls, phase="ok", counted=[counted]))
        return self

    def settle(
        self,
        at: float,
        task_id: str = "a",
        attempt: int = 1,
        outcome: str = "complete",
        event: str = "completed",
        **more: Any,
    ) -> Story:
        """A worker reports an outcome and it is done."""
        detail = more.pop("detail", "")
        return self.report(task_id, attempt, outcome, **more).journal(at, (event, task_id, attempt, detail))

    def retry(self, at: float, task_id: str = "a", attempt: int = 1, delay: float = 10.0, **more: Any) -> Story:
        """A task fails and is to be tried again."""
        return self.settle(at, task_id, attempt, "retry", "retrying", delay=delay, **more)

    def bury(self, at: float, task_id: str = "a", attempt: int = 1, **more: Any) -> Story:
        """A task fails for good."""
        return self.settle(at, task_id, attempt, "bury", "dead", detail="failed", **more)

    def release(self, at: float, task_id: str = "a", attempt: int = 1, **more: Any) -> Story:
        """A task is given back."""
        return self.settle(at, task_id, attempt, "release", "released", **more)

    def expire(self, at: float, task_id: str = "a", attempt: int = 1) -> Story:
        """A lease runs out and is taken back."""
        return self.journal(at, ("lease_expired", task_id, attempt))

    # Nemesis

    def fault(self, begin: float, end: float, target: str = "", fault: str = "stop", **fields: Any) -> Story:
        """Something is broken on purpose."""
        return self.add(Fault(fault=fault, target=target, begin=begin, end=end, **fields))

    def add(self, *records: Record) -> Story:
        """Any records."""
        self.records += records
        return self


def start(**settings: Any) -> Story:
    """One task, submitted, and claimed at 1 for 30 seconds."""
    return Story(**settings).put(0, "a").claim(1, "a")


def done(**settings: Any) -> Story:
    """One task, submitted, claimed at 1 and completed at 2; without its final state."""
    return start(**settings).settle(2)


def lost(**settings: Any) -> Story:
    """One task whose lease ended at 31 and was taken back at 32."""
    return start(**settings).expire(32)


def again(**settings: Any) -> Story:
    """One task whose first lease was lost, and that was claimed again at 33."""
    return lost(**settings).claim(33, "a", 2)


@dataclass(frozen=True)
class Pair:
    """A history with a broken promise, and nearly the same one without."""

    wrong: str
    """What is wrong in the first."""
    check: Check
    """What has to notice."""
    bad: Callable[[], Story]
    good: Callable[[], Story]
