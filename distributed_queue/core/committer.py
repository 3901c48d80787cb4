"""Group commit: what coroutines submit during one turn of their event loop is stored together.

It is handed over to one I/O thread, which makes one batch of it; while it is at it, the next batch collects. Under load
this is faster than a call each.
"""

from __future__ import annotations

import contextlib
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from distributed_queue.errors import QueueClosed, QueueFull, StorageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.task import Task

_MAX_BATCH = 1000
"""Tasks enqueued in one step at most, whoever submitted them."""


class Submission:
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


class Committer:
    """Merges submissions and resolves them a batch at a time, in one I/O thread that the first of them starts."""

    def __init__(self, queue: HybridQueue) -> None:
        self._queue = queue
        self._thread: threading.Thread | None = None
        self._inbox: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[Submission]] | None] = SimpleQueue()

    def commit(self, loop: asyncio.AbstractEventLoop, submissions: list[Submission]) -> None:
        """Enqueue these, and resolve them in ``loop``. Called by one thread at a time."""
        self._inbox.put((loop, submissions))
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="dq-committer", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after what is in the inbox, and wait for it."""
        if self._thread is not None:
            self._inbox.put(None)
            self._thread.join()

    def _serve(self) -> None:
        stopping = False
        while not stopping:
            batches = [self._inbox.get()]
            batches += [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
            stopping = None in batches
            waiting = [batch for batch in batches if batch is not None]
            self._enqueue([submission for _, submissions in waiting for submission in submissions])
            for loop, submissions in waiting:
                call_soon(loop, _resolve, submissions)

    def _enqueue(self, submissions: list[Submission]) -> None:
        # Whoever waited for too long is gone; while the storage is slow, those must not pile up.
        submissions = [submission for submission in submissions if not submission.future.done()]
        start = 0
        while start < len(submissions):
            size, end = 0, start
            while end < len(submissions) and (end == start or size + len(submissions[end].tasks) <= _MAX_BATCH):
                size += len(submissions[end].tasks)
                end += 1
            self._enqueue_together(submissions[start:end])
            start = end

    def _enqueue_together(self, submissions: list[Submission]) -> None:
        """One step for all; where a task is to blame, one for each, so that nobody pays for another's mistake."""
        while submissions:
            try:
                answers = iter(self._queue.enqueue([task for submission in submissions for task in submission.tasks]))
            except QueueFull as full:
                submissions = self._what_fits(submissions, full)
            except (StorageError, QueueClosed) as error:
                _fail(submissions, error)
                return
            except Exception as error:  # noqa: BLE001 - it belongs to whoever submitted
                if len(submissions) == 1:
                    _fail(submissions, error)
                    return
                for submission in submissions:
                    self._enqueue_together([submission])
                return
            else:
                for submission in submissions:
                    submission.answer = [next(answers) for _ in submission.tasks]
                return

    def _what_fits(self, submissions: list[Submission], full: QueueFull) -> list[Submission]:
        """Refuse those for which the queue has no room, and return the others. A task that it knows needs none.

        However many are refused, the storage is asked once: a flood of them must not keep it from its work.
        """
        ids = [task.task_id for submission in submissions for task in submission.tasks if task.queue == full.queue]
        try:
            known = {stored.id for stored in self._queue.storage.get(ids, full.queue) if stored is not None}
        except (StorageError, QueueClosed) as error:
            _fail(submissions, error)
            return []
        fitting, room = [], full.limit - full.depth
        for submission in submissions:
            new = {task.task_id for task in submission.tasks if task.queue == full.queue} - known
            if len(new) > room:
                submission.error = QueueFull(full.queue, full.depth, full.limit, full.retry_after)
            else:
                known |= new
                room -= len(new)
                fitting.append(submission)
        if len(fitting) < len(submissions):
            return fitting
        # What is known has changed in between: one of them has to give way, or this would not end.
        submissions[-1].error = full
        return submissions[:-1]


def _fail(submissions: list[Submission], error: Exception) -> None:
    for submission in submissions:
        submission.error = error


def _resolve(submissions: list[Submission]) -> None:
    for submission in submissions:
        submission.resolve()


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> None:
    """Call in the loop's thread. A loop that was closed has nobody left who waits."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)
