"""The event loop on which ``async def`` handlers run."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from distributed_queue.core.worker.attempt import Attempt


class HandlerLoop:
    """One thread with an asyncio loop, started when it is first needed."""

    def __init__(self, name: str, run: Callable[[Attempt], Coroutine[None, None, None]]) -> None:
        self._name = name
        self._run = run
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Start attempts, all in one call into the loop."""
        if self._loop is None:
            self._start()
        assert self._loop is not None  # noqa: S101 - _start has set it
        self._loop.call_soon_threadsafe(self._begin, attempts)

    def close(self) -> None:
        """Cancel what still runs and end the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = None
        loop.call_soon_threadsafe(self._cancel_all, loop)
        thread.join(5.0)

    def _start(self) -> None:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(loop,), name=f"dq-{self._name}-loop", daemon=True)
        self._thread.start()
        self._loop = loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _begin(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            task = asyncio.ensure_future(self._run(attempt))
            # The loop itself keeps only weak references to its tasks.
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _cancel_all(self, loop: asyncio.AbstractEventLoop) -> None:
        for task in self._tasks:
            task.cancel()
        gathered = asyncio.gather(*self._tasks, return_exceptions=True)
        gathered.add_done_callback(lambda _: loop.stop())
