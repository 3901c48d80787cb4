"""The queue as programs use it: the same object over every storage."""

from __future__ import annotations

import logging
import os
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from distributed_queue.core.held import HeldLeases
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.options import check_count, check_number, check_queue_names, check_word, is_apart
from distributed_queue.core.pace import Pace
from distributed_queue.core.payload import MAX_BODY_BYTES
from distributed_queue.core.registry import open_storage
from distributed_queue.core.storage import (
    ClaimRequest,
    Command,
    QueueConfig,
    Storage,
    StoredTask,
    TaskFilter,
)
from distributed_queue.core.task import Task, from_stored, to_new_task
from distributed_queue.core.watcher import FinishWatcher
from distributed_queue.errors import (
    InvalidTask,
    QueueClosed,
    QueueFull,
    ResultTimeout,
    StorageError,
    TaskFailed,
    TaskNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from distributed_queue.core.clock import Clock
    from distributed_queue.core.durability import Durability
    from distributed_queue.core.storage import QueueStats, StorageHealth, WorkerInfo
    from distributed_queue.core.watcher import Callback

logger = logging.getLogger(__name__)

DEFAULT_VISIBILITY_TIMEOUT = 300.0
LONGEST_LEASE = 7 * 24 * 3600.0
LONGEST_WAIT = 2.0
"""Seconds after which a blocked call looks again, whatever the storage says: for queues that are new, say."""
FULL_PAUSES = (0.005, 0.1)
"""Shortest and longest pause, in seconds, between two tries to enqueue into a full queue."""
_PAGE = 1000


class StorageBackend(str, Enum):
    """Where tasks are kept. The URL is the longer form of the same choice."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    REDIS = "redis"
    POSTGRES = "postgres"

    def __str__(self) -> str:
        return self.value

    def default_url(self) -> str:
        """The URL that is used where none is given."""
        if self is StorageBackend.REDIS:
            return os.environ.get("REDIS_URL") or "redis://localhost:6379/0"
        return {"memory": "memory://", "sqlite": "sqlite:///distributedq.db"}.get(self.value, "postgresql://localhost")


class TaskPage(list[Task]):
    """Tasks, and the cursor of the next page: None where there is none."""

    def __init__(self, tasks: Iterable[Task], cursor: str | None) -> None:
        super().__init__(tasks)
        self.cursor = cursor


class HybridQueue:
    """A durable, prioritised queue of tasks over a storage; thread-safe.

    ``max_size`` (tasks that may wait) and ``rate_limit`` (tasks started per second) are per named queue, kept in the
    storage, and hold across all processes; where they are not given, what the storage has stays. Further settings are
    the fields of ``core.storage.QueueConfig``.

    ``visibility_timeout`` is how many seconds a task taken with ``get`` may be worked on before others may have it.
    ``queues`` names the queues that ``get`` takes from, in order of preference; None means all there are.

    ``durability`` is what an acknowledged task has to survive at least: ``none``, ``standard``, ``durable`` or
    ``replicated`` (see ``core.durability``); None takes what the storage has. A storage that cannot give it is refused
    with ``StorageIncompatible``.

    ``storage`` is one that is open already, instead of ``url``, ``clock`` and ``durability``; it is closed with the
    queue.

    Raises ``ConfigurationError`` for a wrong option and ``StorageUnavailable`` where nothing answers; there is no
    fall-back to another storage.
    """

    def __init__(  # noqa: PLR0913 - the options of the specification
        self,
        backend: StorageBackend | str = StorageBackend.MEMORY,
        max_size: int | None = None,
        rate_limit: float | None = None,
        visibility_timeout: float = DEFAULT_VISIBILITY_TIMEOUT,
        *,
        url: str | None = None,
        redis_url: str | None = None,
        queues: Sequence[str] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        clock: Clock | None = None,
        durability: Durability | str | None = None,
        storage: Storage | None = None,
        **settings: object,
    ) -> None:
        self.visibility_timeout = check_number("visibility_timeout", visibility_timeout, 0.001, LONGEST_LEASE)
        self.max_body_bytes = check_count("max_body_bytes", max_body_bytes, 1, 1 << 30)
        self.claims_from = None if queues is None else check_queue_names(queues)
        given = {"max_size": max_size, "rate_limit": rate_limit, **settings}
        self._settings = {name: value for name, value in given.items() if value is not None}
        self._configured: set[str] = set()
        self._known: tuple[str, ...] = ()
        """Queues that exist, as last seen; looked up again when they give nothing."""
        self._news_listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._closed = False
        if url is None and storage is None:
            url = redis_url or check_word("backend", backend, StorageBackend).default_url()
        self.storage: Storage = storage or open_storage(url or "", clock, durability)
        self._watcher = FinishWatcher(self.storage)
        self._held = HeldLeases(self.storage, max_body_bytes)
        if not self.storage.awaited:
            try:
                self.prepare()
            except BaseException:
                self.storage.close()
                raise

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """A queue over the storage at ``url``; the options of the class."""
        return cls(url=url, **options)

    def prepare(self) -> None:
        """Give the queues that this object names its settings. Only for a storage that was awaited: else it is done."""
        for name in dict.fromkeys(("default", *(self.claims_from or ()))):
            self._configure(name)

    # Submitting

    def put(self, task: Task, block: bool = True, timeout: float | None = None) -> bool:
        """Store a task. Once this returned True it is run at least once.

        False when the queue stays full for ``timeout`` seconds, or is full now with ``block=False``. A task whose id
        the queue has already is not stored again, and that is no error: a repeated ``put`` is safe.
        """
        return self.put_many((task,), block, timeout)

    def put_many(self, tasks: Iterable[Task], block: bool = True, timeout: float | None = None) -> bool:
        """Store all of the tasks in one step, or none of them. As ``put``."""
        batch = list(tasks)
        end = None if timeout is None else time.monotonic() + timeout
        pause, longest = FULL_PAUSES
        while True:
            try:
                self.enqueue(batch)
            except QueueFull as full:
                left = longest if end is None else end - time.monotonic()
                if not block or left <= 0 or len(batch) > full.limit:
                    return False
                time.sleep(min(pause, left))
                pause = min(longest, pause * 2)
            else:
                return True

    def enqueue(self, tasks: Sequence[Task]) -> list[bool]:
        """Store all or none, without waiting; for each whether it is new. Raises ``QueueFull``."""
        self._check_open()
        encoded = [to_new_task(_check_task(task), self.max_body_bytes) for task in tasks]
        for task in encoded:
            if task.queue not in self._configured:
                self._configure(task.queue)
        return self.storage.enqueue(encoded)

    # Working

    def get(self, worker_id: str | None = None, block: bool = True, timeout: float | None = None) -> Task | None:
        """Take the next task, with a lease of ``visibility_timeout``; None where there is none in time."""
        worker = worker_id or f"pid-{os.getpid()}"
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self._check_open()
            queues = self.claims_from or self._known or self._look_for_queues()
            claim = self.storage.claim(ClaimRequest(queues, worker, 1, self.visibility_timeout))
            if claim.tasks:
                task = self._held.take(claim.tasks[0], worker)
                if task is not None:
                    return task
                continue
            if self.claims_from is None and self._look_for_queues() != queues:
                continue
            left = LONGEST_WAIT if end is None else end - time.monotonic()
            if not block or left <= 0:
                return None
            due = LONGEST_WAIT if claim.next_due is None else claim.next_due
            self.storage.wait(queues, min(left, due, LONGEST_WAIT))

    def mark_completed(self, task_id: str, worker_id: str | None = None, result: Any = None) -> bool:
        """Report success. False when this process does not hold the lease (any more). Raises ``InvalidResult``."""
        self._check_open()
        return self._held.complete(task_id, worker_id, result)

    def mark_failed(self, task_id: str, error: BaseException | str | None = None, worker_id: str | None = None) -> bool:
        """Report failure: the task is tried again later, or is dead when its retries are used up. False as above."""
        self._check_open()
        return self._held.fail(task_id, worker_id, "unknown error" if error is None else error)

    def release(self, task_id: str, worker_id: str | None = None) -> bool:
        """Give a task back unfinished; it does not count as a failure. False as above."""
        self._check_open()
        return self._held.release(task_id, worker_id)

    def extend_lease(self, task_id: str, seconds: float) -> bool:
        """Let the lease end ``seconds`` from now. False when this process does not hold it (any more)."""
        self._check_open()
        return self._held.extend(task_id, check_number("seconds", seconds, 0, LONGEST_LEASE))

    # Looking

    def get_task(self, task_id: str) -> Task | None:
        """The task as it is now; None if it is not stored (any more)."""
        stored = self._find(task_id)
        return None if stored is None else from_stored(stored)

    def wait(self, task_id: str, timeout: float | None = None) -> Task:
        """The task once it is finished. Raises ``ResultTimeout`` or ``TaskNotFound``."""
        finished = self._watcher.wait(self._queue_of(task_id), task_id, timeout)
        if finished is None:
            raise ResultTimeout(task_id, timeout or 0.0)
        return from_stored(finished)

    def wait_result(self, task_id: str, timeout: float | None = None) -> Any:
        """The task's result once it is completed.

        Raises ``ResultTimeout``, ``TaskNotFound``, or ``TaskFailed`` where it ended without a result.
        """
        return self.result_of(self.wait(task_id, timeout))

    def watch(self, task_id: str, callback: Callback) -> Callable[[], None]:
        """Call back once, from another thread, when the task is finished. See ``FinishWatcher.watch``."""
        return self._watcher.watch(self._queue_of(task_id), task_id, callback)

    @staticmethod
    def result_of(task: Task) -> Any:
        """The result of a finished task. Raises ``TaskFailed`` where it ended without one."""
        if task.status is not TaskStatus.COMPLETED:
            raise TaskFailed(task.task_id, str(task.status), task.error or task.reason)
        return task.result

    def find(
        self,
        queue: str | None = None,
        status: TaskStatus | str | None = None,
        type: str | None = None,  # noqa: A002 - the word of the specification
        limit: int = 100,
        cursor: str | None = None,
    ) -> TaskPage:
        """List tasks, a page of up to ``limit`` (at most 1,000) at a time. Raises ``InvalidCursor``."""
        self._check_open()
        where = TaskFilter(queue, None if status is None else check_word("status", status, TaskStatus), type)
        page = self.storage.find(where, cursor, check_count("limit", limit, 1, _PAGE))
        return TaskPage(map(from_stored, page.tasks), page.cursor)

    def get_dead_letters(self, limit: int = 100, cursor: str | None = None, queue: str | None = None) -> TaskPage:
        """Tasks that failed for good, the latest first; a list whose ``cursor`` leads to the next page."""
        return self.find(queue=queue, status=TaskStatus.DEAD, limit=limit, cursor=cursor)

    def size(self, queue: str | None = None) -> int:
        """Tasks that have still to run: pending, scheduled and retrying."""
        return sum(stats.depth for stats in self.queue_stats(queue))

    def queue_stats(self, queue: str | None = None) -> list[QueueStats]:
        """Figures of one queue, or of all."""
        self._check_open()
        return self.storage.stats(None if queue is None else [queue])

    def get_stats(self) -> dict[str, Any]:
        """Figures of all queues together, and of each."""
        every = self.queue_stats()
        config = next((stats.config for stats in every if stats.queue == "default"), QueueConfig())
        return {
            "queue_size": sum(stats.depth for stats in every),
            "dead_letter_count": sum(stats.counts[TaskStatus.DEAD] for stats in every),
            "max_size": config.max_size,
            "rate_limit": config.rate_limit,
            "workers": len(self.storage.workers()),
            "counts": {str(state): sum(stats.counts[state] for stats in every) for state in TaskStatus},
            "queues": {
                stats.queue: {
                    "size": stats.depth,
                    "paused": stats.config.paused,
                    "max_size": stats.config.max_size,
                    "rate_limit": stats.config.rate_limit,
                    "concurrency": stats.config.concurrency,
                    "oldest_ready_age": stats.oldest_ready_age,
                    "counts": {str(state): count for state, count in stats.counts.items()},
                }
                for stats in every
            },
        }

    def health(self) -> StorageHealth:
        """Reach the storage. Raises ``StorageUnavailable``."""
        self._check_open()
        return self.storage.health()

    def health_check(self) -> dict[str, Any]:
        """As ``health``, as a dictionary; ``healthy`` is True, since otherwise an error is raised."""
        return {"healthy": True, **msgspec.to_builtins(self.health())}

    def workers(self) -> list[WorkerInfo]:
        """The live workers of all processes."""
        self._check_open()
        return self.storage.workers()

    # Control

    def cancel(self, task_id: str) -> bool:
        """Cancel a task that waits, or ask a running one to stop. False if it is finished or unknown."""
        stored = self._find(task_id)
        if stored is None or stored.status.finished:
            return False
        after = self.storage.cancel(stored.queue, [task_id])[0]
        if after is None:
            return False
        if after.worker_id is not None and after.cancel_requested:
            self._tell_worker(after)
        return after.cancel_requested or after.status is TaskStatus.CANCELLED

    def requeue(self, task_id: str) -> bool:
        """Run a dead, cancelled, expired, retrying or scheduled task now. False for others."""
        stored = self._find(task_id)
        return stored is not None and self.storage.requeue(stored.queue, [task_id])[0]

    def requeue_dead(
        self, ids: Iterable[str] | None = None, queue: str | None = None, rate: float | Pace | None = None
    ) -> int:
        """Requeue these dead letters, or all; how many there were.

        With a ``rate`` so many a second become ready: the first now, the others are scheduled for their turns. A
        ``Pace`` goes on where the call before has left off.
        """
        pace = rate if isinstance(rate, Pace) else Pace(rate)
        return self._each_dead(
            ids, queue, lambda name, chosen: self.storage.requeue(name, chosen, pace.next(len(chosen)))
        )

    def delete_dead(self, ids: Iterable[str] | None = None, queue: str | None = None) -> int:
        """Delete these dead letters, or all; how many there were."""
        return self._each_dead(ids, queue, self.storage.delete)

    def pause(self, queue: str = "default") -> None:
        """Let nothing more be claimed from a queue, by any process."""
        self._check_open()
        self.storage.pause(queue)

    def resume(self, queue: str = "default") -> None:
        """Undo ``pause``."""
        self._check_open()
        self.storage.resume(queue)

    def configure(self, queue: str = "default", **settings: object) -> QueueConfig:
        """Change a queue's settings for all processes (fields of ``QueueConfig``); all of them afterwards."""
        self._check_open()
        return self.storage.configure(queue, settings)

    def clear(self, queue: str | None = None) -> int:
        """Forget all tasks of a queue, or of all queues; how many there were.

        Those of the library itself (``dq.webhooks`` and others) are cleared where they are named only: what was told
        already would be told again.
        """
        self._check_open()
        every = [queue] if queue else [name for name in self.storage.queues() if not is_apart(name)]
        return sum(self.storage.clear(name) for name in every)

    def on_news(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` when this object uses a queue for the first time, or has told a worker something.

        So the workers of this process need not wait for their next beat. Returns a function that ends it.
        """
        self._news_listeners.append(listener)
        return lambda: self._news_listeners.remove(listener)

    def close(self) -> None:
        """Give back what ``get`` took and was not settled, and release everything. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._watcher.close()
        try:
            self._held.release_all()
        except StorageError as error:
            logger.warning("what was taken and not settled comes back when its leases end: %s", error)
        finally:
            self.storage.close()
        self._watcher.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.size()

    def __bool__(self) -> bool:
        return True

    # Private

    def _check_open(self) -> None:
        if self._closed:
            raise QueueClosed("The queue was closed.")

    def _configure(self, queue: str) -> None:
        """Create a queue in the storage with the settings that this object was given."""
        self.storage.configure(queue, self._settings)
        self._configured.add(queue)
        self._tell_news()
        # Whoever waits in ``get`` looks for queues again.
        self.storage.wake()

    def _look_for_queues(self) -> tuple[str, ...]:
        self._known = tuple(name for name in self.storage.queues() if not is_apart(name))
        return self._known

    def _find(self, task_id: str) -> StoredTask | None:
        self._check_open()
        return self.storage.get([task_id])[0]

    def _queue_of(self, task_id: str) -> str:
        """The queue that a task is in. Raises ``TaskNotFound``."""
        stored = self._find(task_id)
        if stored is None:
            raise TaskNotFound(task_id)
        return stored.queue

    def _tell_worker(self, stored: StoredTask) -> None:
        if stored.worker_id is not None:
            self.storage.command(stored.worker_id, Command(action="cancel", queue=stored.queue, task_id=stored.id))
            self._tell_news()

    def _tell_news(self) -> None:
        for listener in list(self._news_listeners):
            listener()

    def _each_dead(self, ids: Iterable[str] | None, queue: str | None, verb: Any) -> int:
        self._check_open()
        if ids is not None:
            wanted = list(ids)
            stored = [each for each in self.storage.get(wanted, queue) if each and each.status is TaskStatus.DEAD]
            return self._by_queue(stored, verb)
        done, cursor = 0, None
        while True:
            page = self.storage.find(TaskFilter(queue, TaskStatus.DEAD), cursor, _PAGE)
            done += self._by_queue(page.tasks, verb)
            cursor = page.cursor
            if cursor is None:
                return done

    def _by_queue(self, tasks: Sequence[StoredTask], verb: Any) -> int:
        grouped: dict[str, list[str]] = {}
        for task in tasks:
            grouped.setdefault(task.queue, []).append(task.id)
        return sum(sum(verb(queue, ids)) for queue, ids in grouped.items())


def _check_task(task: Any) -> Task:
    if not isinstance(task, Task):
        raise InvalidTask(f"{task!r:.100} is not a Task", field="task")
    return task
