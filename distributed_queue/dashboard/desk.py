"""What the dashboard asks the queue and tells it. Everything here blocks; pages call it in the desk's own threads."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import from_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import Change, Command, JournalEntry, StoredTask
    from distributed_queue.core.task import Task
    from distributed_queue.core.worker import Worker, WorkerPool

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""How long a page waits for the storage."""
TAIL_ENTRIES = 100
TAIL_QUEUES = 50
_TAIL_SECONDS = 1.5
"""How old a tail may be that several pages share."""
_HISTORY_ENTRIES = 500
_SCAN_LIMIT = 1000


class TaskKey(NamedTuple):
    """What names a task: ids are unique within a queue only."""

    queue: str
    id: str

    @classmethod
    def read(cls, text: str) -> TaskKey:
        """Of ``queue/id``."""
        queue, _, identifier = text.partition("/")
        return cls(queue, identifier)


class Happened(NamedTuple):
    """One change, out of a journal."""

    at: float
    queue: str
    position: int
    change: Change


class Detail(NamedTuple):
    """A task with what only the storage's record has."""

    task: Task
    stored: StoredTask
    history: list[Happened]
    """What the last entries of the journal have of it, oldest first."""


class Desk:
    """The queue and the pool, as pages use them."""

    def __init__(self, queue: HybridQueue, pool: WorkerPool | None) -> None:
        self.queue = queue
        self.pool = pool
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="dq-dashboard-page")
        self._tails: dict[str, tuple[float, list[Happened]]] = {}

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call something that blocks. Raises ``asyncio.TimeoutError`` where it takes too long for a page."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        return await asyncio.wait_for(asyncio.shield(future), PATIENCE_SECONDS)

    def close(self) -> None:
        """Take nothing more."""
        self._threads.shutdown(wait=False)

    # Tasks

    def detail(self, task_id: str, queue: str | None) -> Detail | None:
        """A task, and what the journal still has of it."""
        stored = self.queue.storage.get([task_id], queue)[0]
        if stored is None:
            return None
        tail = self.queue.storage.journal_tail(stored.queue)
        entries = self.queue.storage.journal(stored.queue, max(0, tail - _HISTORY_ENTRIES), _HISTORY_ENTRIES)
        history = [each for each in _spread(stored.queue, entries) if each.change.task_id == task_id]
        return Detail(from_stored(stored), stored, history)

    def requeue(self, keys: Iterable[TaskKey]) -> int:
        """Run tasks again, those that can be; how many."""
        return self._each(keys, self.queue.storage.requeue)

    def delete(self, keys: Iterable[TaskKey]) -> int:
        """Forget tasks, those that do not run; how many."""
        return self._each(keys, self.queue.storage.delete)

    def cancel(self, keys: Iterable[TaskKey]) -> int:
        """Cancel tasks, those that are not finished; how many."""
        return sum(self._cancel(key) for key in keys)

    def _cancel(self, key: TaskKey) -> bool:
        stored = self.queue.storage.get([key.id], key.queue)[0]
        return stored is not None and not stored.status.finished and self.queue.cancel(key.id)

    @staticmethod
    def _each(keys: Iterable[TaskKey], verb: Callable[[str, Sequence[str]], list[bool]]) -> int:
        grouped: defaultdict[str, list[str]] = defaultdict(list)
        for key in keys:
            grouped[key.queue].append(key.id)
        return sum(sum(verb(queue, ids)) for queue, ids in grouped.items())

    # Workers

    def running_on(self, worker_id: str) -> list[Task]:
        """The tasks that a worker holds, of the first thousand that run."""
        return [
            task
            for task in self.queue.find(status=TaskStatus.PROCESSING, limit=_SCAN_LIMIT)
            if task.worker_id == worker_id
        ]

    def steer(self, worker_id: str, command: Command) -> None:
        """Tell a worker something: one of this process at once, another with its next beat."""
        worker = self._own(worker_id)
        if worker is None:
            self.queue.storage.command(worker_id, command)
        elif command.action == "pause":
            worker.pause()
        elif command.action == "resume":
            worker.resume()
        elif command.action == "stop":
            worker.stop(wait=False)
        elif command.action == "scale" and command.max_workers is not None:
            worker.scale(command.max_workers)

    def _own(self, worker_id: str) -> Worker | None:
        workers = self.pool.workers.values() if self.pool else ()
        return next((worker for worker in workers if worker.worker_id == worker_id), None)

    # Journal

    def tail(self, queues: Sequence[str]) -> list[Happened]:
        """The latest changes of these queues, the newest first; as they were at most a moment ago."""
        found: list[Happened] = []
        for queue in queues[:TAIL_QUEUES]:
            at, changes = self._tails.get(queue, (float("-inf"), []))
            if time.monotonic() - at >= _TAIL_SECONDS:
                tail = self.queue.storage.journal_tail(queue)
                entries = self.queue.storage.journal(queue, max(0, tail - TAIL_ENTRIES), TAIL_ENTRIES)
                changes = _spread(queue, entries)[-TAIL_ENTRIES:]
                self._tails[queue] = time.monotonic(), changes
            found += changes
        return sorted(found, key=lambda each: (each.at, each.position), reverse=True)[:TAIL_ENTRIES]


def _spread(queue: str, entries: Iterable[JournalEntry]) -> list[Happened]:
    return [Happened(entry.at, queue, entry.position, change) for entry in entries for change in entry.changes]
