"""The queue for asyncio programs: the same engine, with what coroutines submit collected into batches."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from distributed_queue.core.committer import Committer, Submission, call_soon
from distributed_queue.core.hybrid_queue import FULL_PAUSES, HybridQueue, TaskPage
from distributed_queue.core.task import from_stored
from distributed_queue.errors import QueueClosed, QueueFull, ResultTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from distributed_queue.core.lifecycle import TaskStatus
    from distributed_queue.core.pace import Pace
    from distributed_queue.core.storage import QueueConfig, QueueStats, StorageHealth, StoredTask, WorkerInfo
    from distributed_queue.core.task import Task

T = TypeVar("T")

_GETTERS = 16
"""Threads in which blocked ``get`` calls wait; more calls than that take turns."""
_TURN_SECONDS = 1.0
"""For how long a ``get`` blocks its thread at a time."""


class _Taking:
    """A ``get`` in a thread for a coroutine that may be gone when the task comes: then the task is given back."""

    def __init__(self, queue: HybridQueue) -> None:
        self._queue = queue
        self._lock = threading.Lock()
        self._gone = False
        self._task: Task | None = None

    def take(self, worker_id: str | None, block: bool, timeout: float | None) -> Task | None:
        """``HybridQueue.get``."""
        task = self._queue.get(worker_id, block, timeout)
        with self._lock:
            self._task = task
            if not self._gone:
                return task
        self.give_back()
        return None

    def abandon(self) -> bool:
        """The coroutine is gone; whether there is a task to give back already."""
        with self._lock:
            self._gone = True
            return self._task is not None

    def give_back(self) -> None:
        """Release the task, if there is one."""
        if self._task is not None:
            self._queue.release(self._task.task_id)


class AsyncQueue:
    """``HybridQueue`` with coroutines: the same names, arguments, results and errors.

    A cancelled call may have been carried out all the same. Usable from several event loops at once.
    """

    def __init__(self, queue: HybridQueue) -> None:
        self.queue = queue
        self._committer = Committer(queue)
        self._getters = ThreadPoolExecutor(_GETTERS, thread_name_prefix="dq-get")
        self._lock = threading.Lock()
        self._collected: dict[asyncio.AbstractEventLoop, list[Submission]] = {}
        self._closed = False

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """A queue over the storage at ``url``; the options of ``HybridQueue``. Connects at once, so it may block."""
        return cls(HybridQueue.from_url(url, **options))

    # Submitting

    async def enqueue(self, tasks: Sequence[Task]) -> list[bool]:
        """Store all or none; for each whether it is new. Raises ``QueueFull``."""
        loop = asyncio.get_running_loop()
        submission = Submission(tuple(tasks), loop.create_future())
        with self._lock:
            if self._closed:
                raise QueueClosed("The queue was closed.")
            collected = self._collected.setdefault(loop, [])
            collected.append(submission)
        if len(collected) == 1:
            loop.call_soon(self._flush, loop)
        return await submission.future

    async def put(self, task: Task, block: bool = True, timeout: float | None = None) -> bool:
        """See ``HybridQueue.put``."""
        return await self.put_many((task,), block, timeout)

    async def put_many(self, tasks: Iterable[Task], block: bool = True, timeout: float | None = None) -> bool:
        """See ``HybridQueue.put_many``."""
        batch = list(tasks)
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        pause, longest = FULL_PAUSES
        while True:
            try:
                await self.enqueue(batch)
            except QueueFull as full:
                left = longest if end is None else end - loop.time()
                if not block or left <= 0 or len(batch) > full.limit:
                    return False
                await asyncio.sleep(min(pause, left))
                pause = min(longest, pause * 2)
            else:
                return True

    # Working

    async def get(self, worker_id: str | None = None, block: bool = True, timeout: float | None = None) -> Task | None:
        """See ``HybridQueue.get``. A task that comes for a call which was cancelled is given back."""
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        task = await self._take(None, worker_id, block=False)
        while task is None and block and (end is None or loop.time() < end):
            left = _TURN_SECONDS if end is None else end - loop.time()
            task = await self._take(self._getters, worker_id, block=True, timeout=max(0.0, min(left, _TURN_SECONDS)))
        return task

    async def mark_completed(self, task_id: str, worker_id: str | None = None, result: Any = None) -> bool:
        """See ``HybridQueue.mark_completed``."""
        return await self.run(self.queue.mark_completed, task_id, worker_id, result)

    async def mark_failed(
        self, task_id: str, error: BaseException | str | None = None, worker_id: str | None = None
    ) -> bool:
        """See ``HybridQueue.mark_failed``."""
        return await self.run(self.queue.mark_failed, task_id, error, worker_id)

    async def release(self, task_id: str, worker_id: str | None = None) -> bool:
        """See ``HybridQueue.release``."""
        return await self.run(self.queue.release, task_id, worker_id)

    async def extend_lease(self, task_id: str, seconds: float) -> bool:
        """See ``HybridQueue.extend_lease``."""
        return await self.run(self.queue.extend_lease, task_id, seconds)

    # Looking

    async def get_task(self, task_id: str) -> Task | None:
        """See ``HybridQueue.get_task``."""
        return await self.run(self.queue.get_task, task_id)

    async def wait(self, task_id: str, timeout: float | None = None) -> Task:
        """See ``HybridQueue.wait``. Any number of coroutines wait at the cost of one thread per queue."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[StoredTask] = loop.create_future()

        def deliver(answer: StoredTask | BaseException) -> None:
            call_soon(loop, _settle_future, arrived, answer)

        watching = asyncio.ensure_future(self.run(self.queue.watch, task_id, deliver))
        try:
            stop = await asyncio.shield(watching)
        except asyncio.CancelledError:
            watching.add_done_callback(_stop_watching)
            raise
        try:
            return from_stored(await asyncio.wait_for(arrived, timeout))
        except asyncio.TimeoutError:
            raise ResultTimeout(task_id, timeout or 0.0) from None
        finally:
            stop()

    async def wait_result(self, task_id: str, timeout: float | None = None) -> Any:
        """See ``HybridQueue.wait_result``."""
        return self.queue.result_of(await self.wait(task_id, timeout))

    async def find(
        self,
        queue: str | None = None,
        status: TaskStatus | str | None = None,
        type: str | None = None,  # noqa: A002 - the word of the specification
        limit: int = 100,
        cursor: str | None = None,
    ) -> TaskPage:
        """See ``HybridQueue.find``."""
        return await self.run(self.queue.find, queue, status, type, limit, cursor)

    async def get_dead_letters(self, limit: int = 100, cursor: str | None = None, queue: str | None = None) -> TaskPage:
        """See ``HybridQueue.get_dead_letters``."""
        return await self.run(self.queue.get_dead_letters, limit, cursor, queue)

    async def size(self, queue: str | None = None) -> int:
        """See ``HybridQueue.size``."""
        return await self.run(self.queue.size, queue)

    async def queue_stats(self, queue: str | None = None) -> list[QueueStats]:
        """See ``HybridQueue.queue_stats``."""
        return await self.run(self.queue.queue_stats, queue)

    async def get_stats(self) -> dict[str, Any]:
        """See ``HybridQueue.get_stats``."""
        return await self.run(self.queue.get_stats)

    async def health(self) -> StorageHealth:
        """See ``HybridQueue.health``."""
        return await self.run(self.queue.health)

    async def health_check(self) -> dict[str, Any]:
        """See ``HybridQueue.health_check``."""
        return await self.run(self.queue.health_check)

    async def workers(self) -> list[WorkerInfo]:
        """See ``HybridQueue.workers``."""
        return await self.run(self.queue.workers)

    # Control

    async def cancel(self, task_id: str) -> bool:
        """See ``HybridQueue.cancel``."""
        return await self.run(self.queue.cancel, task_id)

    async def requeue(self, task_id: str) -> bool:
        """See ``HybridQueue.requeue``."""
        return await self.run(self.queue.requeue, task_id)

    async def requeue_dead(
        self, ids: Iterable[str] | None = None, queue: str | None = None, rate: float | Pace | None = None
    ) -> int:
        """See ``HybridQueue.requeue_dead``."""
        return await self.run(self.queue.requeue_dead, ids, queue, rate)

    async def delete_dead(self, ids: Iterable[str] | None = None, queue: str | None = None) -> int:
        """See ``HybridQueue.delete_dead``."""
        return await self.run(self.queue.delete_dead, ids, queue)

    async def pause(self, queue: str = "default") -> None:
        """See ``HybridQueue.pause``."""
        await self.run(self.queue.pause, queue)

    async def resume(self, queue: str = "default") -> None:
        """See ``HybridQueue.resume``."""
        await self.run(self.queue.resume, queue)

    async def configure(self, queue: str = "default", **settings: object) -> QueueConfig:
        """See ``HybridQueue.configure``."""
        return await self.run(partial(self.queue.configure, queue, **settings))

    async def clear(self, queue: str | None = None) -> int:
        """See ``HybridQueue.clear``."""
        return await self.run(self.queue.clear, queue)

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call something that blocks, such as a method of ``queue``, in a thread."""
        return await asyncio.to_thread(function, *args)

    async def close(self) -> None:
        """Finish what was submitted, then close the queue. A second call does nothing."""
        if await self.run(self.end):
            await self.run(self.queue.close)
            await self.run(self._getters.shutdown)

    async def detach(self) -> None:
        """Finish what was submitted and end this object's threads; the queue that it was made of goes on."""
        await self.run(self.end)

    def end(self) -> bool:
        """``detach`` for callers without an event loop: it blocks. False if that was done before."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            for loop, submissions in self._collected.items():
                self._committer.commit(loop, submissions)
            self._collected = {}
        self._committer.stop()
        self._getters.shutdown(wait=False)
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over what was collected during this turn."""
        # Under the lock, so that nothing reaches the committer after it was told to stop.
        with self._lock:
            submissions = self._collected.pop(loop, None)
            if submissions:
                self._committer.commit(loop, submissions)

    async def _take(
        self, threads: ThreadPoolExecutor | None, worker_id: str | None, *, block: bool, timeout: float | None = None
    ) -> Task | None:
        loop = asyncio.get_running_loop()
        taking = _Taking(self.queue)
        try:
            return await loop.run_in_executor(threads, taking.take, worker_id, block, timeout)
        except asyncio.CancelledError:
            if taking.abandon():
                loop.run_in_executor(None, taking.give_back)
            raise


def _stop_watching(watching: asyncio.Future[Callable[[], None]]) -> None:
    """The coroutine that began to watch is gone."""
    if not watching.cancelled() and watching.exception() is None:
        watching.result()()


def _settle_future(future: asyncio.Future[StoredTask], answer: StoredTask | BaseException) -> None:
    if future.done():
        return
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
