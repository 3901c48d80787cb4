"""The queue for asyncio programs: the same engine, with what coroutines ask for collected into batches.

What coroutines submit during one turn of the event loop is handed over together to one I/O thread, which makes one
batch of it (group commit); while it is at it, the next batch collects. Under load this is faster than a call each.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from distributed_queue.core.hybrid_queue import FULL_PAUSES, LONGEST_WAIT, HybridQueue, TaskPage
from distributed_queue.core.task import from_stored
from distributed_queue.errors import QueueClosed, QueueFull, ResultTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from distributed_queue.core.lifecycle import TaskStatus
    from distributed_queue.core.storage import QueueConfig, QueueStats, StorageHealth, StoredTask, WorkerInfo
    from distributed_queue.core.task import Task

T = TypeVar("T")

_MAX_BATCH = 1000
"""Tasks enqueued in one step at most, whoever submitted them."""


class _Submission:
    """Tasks that one coroutine wants stored together."""

    __slots__ = ("answer", "error", "future", "tasks")

    def __init__(self, tasks: Sequence[Task], future: asyncio.Future[list[bool]]) -> None:
        self.tasks = tasks
        self.future = future
        self.answer: list[bool] = []
        self.error: BaseException | None = None

    def resolve(self) -> None:
        """Tell the coroutine; in the event loop's thread."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.answer)


class _Committer(threading.Thread):
    """The I/O thread: takes submissions, merges them, resolves them a batch at a time."""

    def __init__(self, queue: HybridQueue) -> None:
        super().__init__(name="dq-committer", daemon=True)
        self._queue = queue
        self._inbox: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Submission]] | None] = SimpleQueue()

    def commit(self, loop: asyncio.AbstractEventLoop, submissions: list[_Submission]) -> None:
        """Enqueue these, and resolve them in ``loop``."""
        self._inbox.put((loop, submissions))

    def stop(self) -> None:
        """End after what is in the inbox."""
        self._inbox.put(None)

    def run(self) -> None:
        """Serve until stopped."""
        stopping = False
        while not stopping:
            batches = [self._inbox.get()]
            batches += [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
            stopping = None in batches
            waiting = [batch for batch in batches if batch is not None]
            self._enqueue([submission for _, submissions in waiting for submission in submissions])
            for loop, submissions in waiting:
                # A loop that was closed has nobody left who waits.
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_resolve, submissions)

    def _enqueue(self, submissions: list[_Submission]) -> None:
        start = 0
        while start < len(submissions):
            size, end = 0, start
            while end < len(submissions) and (end == start or size + len(submissions[end].tasks) <= _MAX_BATCH):
                size += len(submissions[end].tasks)
                end += 1
            self._enqueue_together(submissions[start:end])
            start = end

    def _enqueue_together(self, submissions: list[_Submission]) -> None:
        """One step for all; where that fails, one for each, so that nobody pays for another's mistake."""
        try:
            answers = iter(self._queue.enqueue([task for submission in submissions for task in submission.tasks]))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever submitted
            if len(submissions) == 1:
                submissions[0].error = error
                return
            for submission in submissions:
                self._enqueue_together([submission])
            return
        for submission in submissions:
            submission.answer = [next(answers) for _ in submission.tasks]


def _resolve(submissions: list[_Submission]) -> None:
    for submission in submissions:
        submission.resolve()


class AsyncQueue:
    """``HybridQueue`` with coroutines: the same names, arguments, results and errors.

    A cancelled call may have been carried out all the same. Usable from several event loops at once.
    """

    def __init__(self, queue: HybridQueue) -> None:
        self.queue = queue
        self._committer = _Committer(queue)
        self._committer.start()
        self._collected: dict[asyncio.AbstractEventLoop, list[_Submission]] = {}
        self._closed = False

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """A queue over the storage at ``url``; the options of ``HybridQueue``. Connects at once, so it may block."""
        return cls(HybridQueue.from_url(url, **options))

    # Submitting

    async def enqueue(self, tasks: Sequence[Task]) -> list[bool]:
        """Store all or none; for each whether it is new. Raises ``QueueFull``."""
        if self._closed:
            raise QueueClosed("The queue was closed.")
        loop = asyncio.get_running_loop()
        submission = _Submission(tasks, loop.create_future())
        collected = self._collected.get(loop)
        if collected is None:
            self._collected[loop] = collected = []
            loop.call_soon(self._flush, loop)
        collected.append(submission)
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
        """See ``HybridQueue.get``."""
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        while True:
            left = LONGEST_WAIT if end is None else max(0.0, end - loop.time())
            # In slices, so that a thread is not held long for a coroutine that was cancelled.
            task = await self.run(self.queue.get, worker_id, block, min(left, 1.0))
            if task is not None or not block or (end is not None and loop.time() >= end):
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
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle_future, arrived, answer)

        stop = await self.run(self.queue.watch, task_id, deliver)
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

    async def requeue_dead(self, ids: Iterable[str] | None = None, queue: str | None = None) -> int:
        """See ``HybridQueue.requeue_dead``."""
        return await self.run(self.queue.requeue_dead, ids, queue)

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
        if self._closed:
            return
        self._closed = True
        for loop in list(self._collected):
            self._flush(loop)
        self._committer.stop()
        await self.run(self._committer.join)
        await self.run(self.queue.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over what was collected during this turn."""
        submissions = self._collected.pop(loop, None)
        if submissions:
            self._committer.commit(loop, submissions)


def _settle_future(future: asyncio.Future[StoredTask], answer: StoredTask | BaseException) -> None:
    if future.done():
        return
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
