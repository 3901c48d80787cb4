"""What the dashboard asks the queue and tells it. Everything here blocks; pages call it in the desk's own threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.pace import Pace
from distributed_queue.core.task import from_stored
from distributed_queue.dashboard.fingerprints import Sorter, fingerprint
from distributed_queue.dashboard.looking import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import Change, Command, JournalEntry, StoredTask
    from distributed_queue.core.task import Task
    from distributed_queue.core.worker import Worker, WorkerPool
    from distributed_queue.dashboard.fingerprints import Group
    from distributed_queue.dashboard.search import Search

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""How long a page waits for the storage."""
TAIL_CHANGES = 100
TAIL_QUEUES = 50
DEAD_LIMIT = 2000
"""How many of the latest dead letters are sorted into groups."""
_SHARED_SECONDS = 1.5
"""How old an answer may be that several pages share."""
_HISTORY_CHANGES = 1000
_LONGEST_STEP = 256
_DEAD_PAGE = 250
_DEAD_SECONDS = 0.04
"""How long groups are made for one page: payloads and tracebacks may be large."""
_TAIL_SECONDS = 0.02
"""How long journals are read for one page: their entries may be large."""
_PAGE = 1000
_NEVER: tuple[float, list[Happened]] = (float("-inf"), [])
"""The end of a journal that was not read yet."""


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


class Graveyard(NamedTuple):
    """The latest dead letters, by fingerprint."""

    groups: list[Group]
    seen: int
    """How many letters were looked at."""
    more: bool
    """Whether there are others, which are older."""


class Desk:
    """The queue and the pool, as pages use them."""

    def __init__(self, queue: HybridQueue, pool: WorkerPool | None) -> None:
        self.queue = queue
        self.pool = pool
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="dq-dashboard-page")
        self._tails: dict[str, tuple[float, list[Happened]]] = {}
        self._lock = threading.Lock()
        self._graveyard = Graveyard([], 0, more=False)
        self._graveyard_at = float("-inf")

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call something that blocks. Raises ``asyncio.TimeoutError`` where it takes too long for a page."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        return await asyncio.wait_for(asyncio.shield(future), PATIENCE_SECONDS)

    async def run_long(self, function: Callable[..., T], *args: Any) -> T | None:
        """The same for what may take long: None where it goes on after the page's patience."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        done, _ = await asyncio.wait([future], timeout=PATIENCE_SECONDS)
        return future.result() if done else None

    def close(self) -> None:
        """Take nothing more."""
        self._threads.shutdown(wait=False)

    # Tasks

    def find_id(self, task_id: str, queue: str | None) -> Task | None:
        """The task with an id."""
        stored = self.queue.storage.get([task_id], queue)[0]
        return None if stored is None else from_stored(stored)

    def detail(self, task_id: str, queue: str | None) -> Detail | None:
        """A task, and what the journal still has of it."""
        stored = self.queue.storage.get([task_id], queue)[0]
        if stored is None:
            return None
        latest = self._latest(stored.queue, _HISTORY_CHANGES)
        history = [each for each in latest if each.change.task_id == task_id]
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

    def cancel_waiting(self, keys: Iterable[TaskKey]) -> int:
        """The same for many that do not run; a worker that has got one since is told when it extends the lease."""
        return self._each(keys, self._cancel_all)

    def _cancel_all(self, queue: str, ids: Sequence[str]) -> list[bool]:
        after = self.queue.storage.cancel(queue, ids)
        return [task is not None and (task.cancel_requested or task.status is TaskStatus.CANCELLED) for task in after]

    def look(self, search: Search, now: float, cursor: str | None, enough: int) -> tuple[list[Task], int, str | None]:
        """One page of the tasks that fit a search: they, how many were looked at, and the next page's cursor."""
        found = look(self.queue.storage, search, now, cursor, enough)
        return [from_stored(task) for task in found.tasks], found.seen, found.cursor

    def _cancel(self, key: TaskKey) -> bool:
        first = self.queue.storage.get([key.id])[0]
        if first is not None and first.queue == key.queue:
            return self.queue.cancel(key.id)
        # Another queue has the same id; the worker learns of it when it extends the lease.
        return self._cancel_all(key.queue, [key.id])[0]

    @staticmethod
    def _each(keys: Iterable[TaskKey], verb: Callable[..., list[bool]], *values: Sequence[float]) -> int:
        """Do something to tasks, queue by queue; each of ``values`` has one for each task."""
        grouped: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for (queue, identifier), *others in zip(keys, *values, strict=True):
            grouped[queue].append((identifier, *others))
        return sum(sum(verb(queue, *zip(*group, strict=True))) for queue, group in grouped.items())

    # Dead letters

    def dead_groups(self) -> Graveyard:
        """The latest dead letters by what killed them; as they were at most a moment ago."""
        with self._lock:
            if time.monotonic() - self._graveyard_at >= _SHARED_SECONDS:
                sorter, cursor, end = Sorter(), None, time.monotonic() + _DEAD_SECONDS
                while sorter.seen < DEAD_LIMIT and time.monotonic() < end:
                    page = self.queue.get_dead_letters(_DEAD_PAGE, cursor)
                    sorter.add(page)
                    cursor = page.cursor
                    if cursor is None:
                        break
                self._graveyard = Graveyard(sorter.groups(), sorter.seen, cursor is not None)
                self._graveyard_at = time.monotonic()
            return self._graveyard

    def forget_dead_groups(self) -> None:
        """Look again at once."""
        self._graveyard_at = float("-inf")

    def tasks(self, keys: Iterable[tuple[str, str]]) -> list[Task]:
        """The tasks with these queues and ids, those that there are still."""
        grouped: defaultdict[str, list[str]] = defaultdict(list)
        for queue, identifier in keys:
            grouped[queue].append(identifier)
        found = [each for queue, ids in grouped.items() for each in self.queue.storage.get(ids, queue) if each]
        return [from_stored(stored) for stored in found]

    def requeue_group(self, identifier: str, rate: float | None) -> int:
        """Requeue every dead letter with a fingerprint, so that ``rate`` a second are ready, or all now; how many."""
        pace = Pace(rate)
        requeue = self.queue.storage.requeue
        return sum(
            self._each(batch, requeue, pace.next(len(batch)) or [0.0] * len(batch))
            for batch in self._with_fingerprint(identifier)
        )

    def delete_group(self, identifier: str) -> int:
        """Delete every dead letter with a fingerprint; how many."""
        return sum(map(self.delete, self._with_fingerprint(identifier)))

    def _with_fingerprint(self, identifier: str) -> Iterator[list[TaskKey]]:
        cursor = None
        while True:
            page = self.queue.get_dead_letters(_PAGE, cursor)
            yield [TaskKey(task.queue, task.task_id) for task in page if fingerprint(task).id == identifier]
            cursor = page.cursor
            if cursor is None:
                return

    # Workers

    def running_on(self, worker_id: str) -> list[Task]:
        """The tasks that a worker holds, of the first thousand that run."""
        return [
            task for task in self.queue.find(status=TaskStatus.PROCESSING, limit=_PAGE) if task.worker_id == worker_id
        ]

    def steer(self, worker_id: str, command: Command) -> None:
        """Tell a worker something: one of this process at once, another with its next beat."""
        worker = self._own(worker_id)
        if worker is None:
            self.queue.storage.command(worker_id, command)
        else:
            worker.obey(command)

    def _own(self, worker_id: str) -> Worker | None:
        workers = self.pool.workers.values() if self.pool else ()
        return next((worker for worker in workers if worker.worker_id == worker_id), None)

    # Journal

    def tail(self, queues: Sequence[str]) -> tuple[list[Happened], int]:
        """The latest changes of these queues, the newest first; and of how many queues they are.

        They are as they were a moment ago. Where reading takes long, the queues take turns from one page to the next.
        """
        began = time.monotonic()
        tails = {queue: self._tails.get(queue, _NEVER) for queue in queues[:TAIL_QUEUES]}
        for queue, (at, _) in sorted(tails.items(), key=lambda item: item[1][0]):
            now = time.monotonic()
            if now - at < _SHARED_SECONDS or now - began >= _TAIL_SECONDS:
                break
            tails[queue] = self._tails[queue] = now, self._latest(queue, TAIL_CHANGES)
        found = [happened for _, changes in tails.values() for happened in changes]
        newest = sorted(found, key=lambda each: (each.at, each.position), reverse=True)[:TAIL_CHANGES]
        return newest, sum(tail is not _NEVER for tail in tails.values())

    def _latest(self, queue: str, enough: int) -> list[Happened]:
        """The end of a journal, oldest first, in steps that grow: one entry may have a single change, or thousands."""
        end, step = self.queue.storage.journal_tail(queue), 1
        found: list[Happened] = []
        while end > 0 and step <= _LONGEST_STEP and len(found) < enough:
            start = max(0, end - step)
            entries = self.queue.storage.journal(queue, start, end - start)
            found = _spread(queue, entries, enough - len(found)) + found
            if not entries:
                break
            end, step = start, step * 4
        return found


def _spread(queue: str, entries: Sequence[JournalEntry], most: int) -> list[Happened]:
    """The latest changes of these entries, oldest first."""
    found: list[Happened] = []
    for entry in reversed(entries):
        latest = entry.changes[len(found) - most :]
        found += [Happened(entry.at, queue, entry.position, change) for change in reversed(latest)]
        if len(found) >= most:
            break
    return found[::-1]
