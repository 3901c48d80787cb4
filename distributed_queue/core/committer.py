"""Group commit: what coroutines submit during one turn of their event loop is stored together.

It is handed over to one I/O thread, which makes one batch of it; while it is at it, the next batch collects. Under load
this is faster than a call each.
"""

from __future__ import annotations

import contextlib
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from distributed_queue.errors import QueueClosed, StorageError

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
        try:
            answers = iter(self._queue.enqueue([task for submission in submissions for task in submission.tasks]))
        except (StorageError, QueueClosed) as error:
            for submission in submissions:
                submission.error = error
            return
        except Exception as error:  # noqa: BLE001 - it belongs to whoever submitted
            if len(submissions) == 1:
                submissions[0].error = error
                return
            for submission in submissions:
                self._enqueue_together([submission])
            return
        for submission in submissions:
            submission.answer = [next(answers) for _ in submission.tasks]


def _resolve(submissions: list[Submission]) -> None:
    for submission in submissions:
        submission.resolve()


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> None:
    """Call in the loop's thread. A loop that was closed has nobody left who waits."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)
