"""A long history of a system that works, to measure the checker with."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.registry import open_storage
from distributed_queue.core.storage import ClaimRequest, NewTask, Outcome, Settlement
from distributed_queue.testing.proof.recording import RecordingStorage
from distributed_queue.testing.proof.records import Effect, Fault, HistoryWriter, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.core.storage import ClaimedTask

_IN_A_QUEUE = 20_000
"""Tasks; then another queue is used, since the memory engine looks at all tasks of a queue to list some."""
_BATCH = 50
_LEASE_SECONDS = 5.0
_MANY = 1 << 40


class Sample:
    """Clients that submit by fifties, and two workers; one task in a hundred fails once, one in a thousand is lost."""

    def __init__(self, path: Path, seed: int = 0) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - to be repeatable is the point
        self._clock = ManualClock()
        self._history = HistoryWriter(path)
        self._storage = open_storage("memory://", self._clock)
        self._storages = {name: self._recording(name) for name in ("client", "worker-1", "worker-2")}

    def write(self, tasks: int) -> None:
        """Write the history of this many tasks."""
        for number, first in enumerate(range(0, tasks, _IN_A_QUEUE)):
            self._write_queue(f"queue-{number}", range(first, min(tasks, first + _IN_A_QUEUE)))
        self._history.close()
        self._storage.close()

    def _write_queue(self, queue: str, numbers: range) -> None:
        self._storage.configure(queue, {"retention_seconds": 1e9, "journal_max_bytes": _MANY})
        self._history.write(Settings(queue=queue))
        for first in range(0, len(numbers), _BATCH):
            self._submit(queue, numbers[first : first + _BATCH])
            for worker in ("worker-1", "worker-2"):
                self._work(queue, worker)
            self._clock.advance(0.01)
        for _ in range(20):  # longer than a lease and the delay of a retry
            self._clock.advance(1.0)
            while self._work(queue, "worker-1"):
                pass
        self._storages["client"].dump(queue, drained=True)
        self._storage.clear(queue)

    def _recording(self, name: str) -> RecordingStorage:
        return RecordingStorage(self._storage, self._history, name, self._clock.now)

    def _submit(self, queue: str, numbers: range) -> None:
        self._storages["client"].enqueue(
            [
                NewTask(f"0199c3d8-0000-7000-8000-{number:012x}", queue, "x", self._chance.randrange(3), b"\x91\xc0")
                for number in numbers
            ]
        )

    def _work(self, queue: str, worker: str) -> int:
        storage, chance = self._storages[worker], self._chance
        tasks = storage.claim(ClaimRequest((queue,), worker, _BATCH // 2, _LEASE_SECONDS)).tasks
        self._effects(worker, tasks, "start")
        self._effects(worker, tasks, "end")
        settlements = []
        for task in tasks:
            if task.attempt == 1 and chance.random() < 0.001:
                now = self._clock.now()
                self._history.write(Fault(fault="kill", target=worker, begin=now, end=now))
            elif task.attempt == 1 and chance.random() < 0.01:
                settlements.append(Settlement(queue, task.id, 1, Outcome.RETRY, delay=2.0))
            else:
                result = f"{task.id}:{task.attempt}".encode()
                settlements.append(Settlement(queue, task.id, task.attempt, Outcome.COMPLETE, result=result))
        if settlements:
            storage.settle(settlements)
        return len(tasks)

    def _effects(self, worker: str, tasks: list[ClaimedTask], step: Literal["start", "end"]) -> None:
        now = self._clock.now()
        self._history.write(
            *(
                Effect(process=worker, queue=task.queue, id=task.id, attempt=task.attempt, step=step, at=now)
                for task in tasks
            )
        )
