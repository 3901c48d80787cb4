"""A storage that writes down what it was asked and what it answered."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.storage import (
    Claim,
    ClaimRequest,
    Exchange,
    Lease,
    LeaseState,
    NewTask,
    Settlement,
    Storage,
    StoredTask,
    TaskFilter,
)
from distributed_queue.errors import DistributedQueueError
from distributed_queue.testing.proof.records import (
    Claimed,
    Control,
    Drained,
    Extended,
    Final,
    History,
    Journalled,
    Settle,
    SettledTask,
    Submit,
    SubmittedTask,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PAGE = 10_000
_UNANSWERED = frozenset({"storage-unavailable", "queue-closed", "not-replicated"})
"""Codes of errors after which the step may have been done, or be done yet."""


class RecordingStorage:
    """Passes every verb on to a storage, and records those that submit, work and control. Stands in for a ``Storage``.

    ``now`` is the clock of the process, ``work`` tells what a task is for (``SubmittedTask.work``).
    """

    def __init__(
        self,
        storage: Storage,
        history: History,
        process: str,
        now: Callable[[], float] | None = None,
        work: Callable[[NewTask], str | None] = lambda _: None,
    ) -> None:
        self._work = work
        self._storage = storage
        self._now = now or SystemClock().now
        self._history = history
        self._process = process
        self._calls = itertools.count(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def enqueue(self, tasks: Sequence[NewTask]) -> list[bool]:
        """See ``Storage.enqueue``. A batch over several queues is recorded once for each."""
        parts: dict[str, list[int]] = defaultdict(list)
        for index, task in enumerate(tasks):
            parts[task.queue].append(index)
        calls = {queue: next(self._calls) for queue in parts}
        self._history.write(
            *(
                Submit(
                    process=self._process,
                    call=calls[queue],
                    phase="call",
                    queue=queue,
                    tasks=[_submitted(tasks[index], self._work) for index in indexes],
                )
                for queue, indexes in parts.items()
            )
        )
        stored: list[bool] = self._attempt(
            lambda: self._storage.enqueue(tasks),
            lambda phase: [Submit(process=self._process, call=call, phase=phase) for call in calls.values()],
        )
        self._history.write(
            *(
                Submit(process=self._process, call=calls[queue], phase="ok", stored=[stored[i] for i in indexes])
                for queue, indexes in parts.items()
            )
        )
        return stored

    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        """See ``Storage.exchange``."""
        parts: dict[str, list[int]] = defaultdict(list)
        for index, settlement in enumerate(settlements):
            parts[settlement.queue].append(index)
        calls = {queue: next(self._calls) for queue in parts}
        if parts:
            self._history.write(
                *(
                    Settle(
                        process=self._process,
                        call=calls[queue],
                        phase="call",
                        queue=queue,
                        tasks=[_settled(settlements[index]) for index in indexes],
                    )
                    for queue, indexes in parts.items()
                )
            )
        answer: Exchange = self._attempt(
            lambda: self._storage.exchange(settlements, request),
            lambda phase: [Settle(process=self._process, call=call, phase=phase) for call in calls.values()],
        )
        records: list[Settle | Claimed] = [
            Settle(process=self._process, call=calls[queue], phase="ok", counted=[answer.settled[i] for i in indexes])
            for queue, indexes in parts.items()
        ]
        if request is not None:
            records += self._claims(answer.claim, request)
        if records:
            self._history.write(*records)
        return answer

    def claim(self, request: ClaimRequest) -> Claim:
        """See ``Storage.claim``."""
        return self.exchange((), request).claim

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See ``Storage.settle``."""
        return self.exchange(settlements, None).settled

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        """See ``Storage.extend``."""
        parts: dict[str, list[int]] = defaultdict(list)
        for index, lease in enumerate(leases):
            parts[lease.queue].append(index)
        asked = [
            Extended(
                process=self._process,
                queue=queue,
                lease_seconds=lease_seconds,
                tasks=[(leases[i].id, leases[i].attempt) for i in indexes],
                phase="call",
                asked_at=self._now(),
            )
            for queue, indexes in parts.items()
        ]
        if asked:
            self._history.write(*asked)
        states = self._storage.extend(leases, lease_seconds)
        if asked:
            self._history.write(
                *(
                    msgspec.structs.replace(
                        call,
                        phase="ok",
                        answered_at=self._now(),
                        states=[str(states[i].value) for i in parts[call.queue]],
                    )
                    for call in asked
                )
            )
        return states

    def cancel(self, queue: str, ids: Sequence[str]) -> list[StoredTask | None]:
        """See ``Storage.cancel``."""
        self._control("cancel", queue, ids)
        return self._storage.cancel(queue, ids)

    def requeue(self, queue: str, ids: Sequence[str], delays: Sequence[float] = ()) -> list[bool]:
        """See ``Storage.requeue``."""
        self._control("requeue", queue, ids)
        return self._storage.requeue(queue, ids, delays)

    def delete(self, queue: str, ids: Sequence[str]) -> list[bool]:
        """See ``Storage.delete``."""
        self._control("delete", queue, ids)
        return self._storage.delete(queue, ids)

    def clear(self, queue: str) -> int:
        """See ``Storage.clear``."""
        self._control("clear", queue, ())
        return self._storage.clear(queue)

    def _control(self, verb: Literal["cancel", "requeue", "delete", "clear"], queue: str, ids: Sequence[str]) -> None:
        self._history.write(Control(process=self._process, queue=queue, verb=verb, ids=list(ids)))

    def dump(self, queue: str, *, drained: bool) -> None:
        """Record a queue's journal and final state."""
        position = 0
        while entries := self._storage.journal(queue, position, _PAGE):
            position = entries[-1].position
            self._history.write(
                *(
                    Journalled(
                        queue=queue,
                        position=entry.position,
                        at=entry.at,
                        changes=[(each.event, each.task_id, each.attempt, each.detail) for each in entry.changes],
                    )
                    for entry in entries
                )
            )
        cursor: str | None = None
        while True:
            page = self._storage.find(TaskFilter(queue=queue), cursor, _PAGE)
            if page.tasks:
                self._history.write(
                    *(
                        Final(
                            queue=queue,
                            id=task.id,
                            status=str(task.status),
                            attempt=task.attempt,
                            failures=task.failures,
                            crashes=task.crashes,
                            result=None if task.result is None else task.result.hex(),
                        )
                        for task in page.tasks
                    )
                )
            cursor = page.cursor
            if cursor is None:
                break
        if drained:
            self._history.write(Drained(queue=queue))

    def _attempt(self, verb: Callable[[], Any], record: Callable[[Any], list[Any]]) -> Any:
        """Call, and record how it failed: refused for certain, or without an answer."""
        try:
            return verb()
        except DistributedQueueError as error:
            phase = "unknown" if error.code in _UNANSWERED else "fail"
            records = record(phase)
            if records:
                self._history.write(*records)
            raise
        except BaseException:
            records = record("unknown")
            if records:
                self._history.write(*records)
            raise

    def _claims(self, claim: Claim, request: ClaimRequest) -> list[Claimed]:
        parts: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for task in claim.tasks:
            parts[task.queue].append((task.id, task.attempt))
        return [
            Claimed(
                process=self._process,
                queue=queue,
                worker=request.worker_id,
                lease_seconds=request.lease_seconds,
                tasks=tasks,
            )
            for queue, tasks in parts.items()
        ]


def _submitted(task: NewTask, work: Callable[[NewTask], str | None]) -> SubmittedTask:
    return SubmittedTask(task.id, task.priority, task.execute_after, task.delay, task.expires_at, work(task))


def _settled(settlement: Settlement) -> SettledTask:
    result = None if settlement.result is None else settlement.result.hex()
    return SettledTask(settlement.id, settlement.attempt, settlement.outcome.value, settlement.delay, result)
