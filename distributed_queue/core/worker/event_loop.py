"""The event loop on which ``async def`` handlers run.

Python's ``asyncio`` is loaded by the first of them: without it, a worker starts 30 ms sooner, and takes 8 MB less.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Sequence

    from distributed_queue.core.worker.attempt import Attempt


class HandlerLoop:
    """One thread with an asyncio loop, started when it is first needed; runs up to ``size`` handlers at a time."""

    def __init__(self, name: str, size: int, run: Callable[[Attempt], Coroutine[None, None, None]]) -> None:
        self._name = name
        self._size = size
        self._run = run
        self._waiting: deque[Attempt] = deque()
        self._current: set[Attempt] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stuck: set[Attempt] = set()
        """Attempts that were replaced and whose handlers still run."""

    @property
    def stuck(self) -> int:
        """How many handlers do not end, though they were cancelled. Others run in their places, if the loop does."""
        return len(self._stuck)

    def stuck_attempts(self) -> list[Attempt]:
        """Those that these handlers run."""
        return list(self._stuck)

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Queue attempts, all in one call into the loop."""
        if self._loop is None:
            self._start()
        assert self._loop is not None  # noqa: S101 - _start has set it
        self._loop.call_soon_threadsafe(self._begin, attempts)

    def resize(self, size: int) -> None:
        """Change how many handlers may run at a time."""
        self._size = size
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._fill)

    def replace(self, attempt: Attempt) -> bool:
        """Stop counting the handler that runs this attempt; another one may run in its place."""
        if self._loop is None or attempt not in self._current:
            return False
        self._stuck.add(attempt)
        self._loop.call_soon_threadsafe(self._give_place, attempt)
        return True

    def close(self) -> None:
        """Cancel what still runs and end the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = None
        loop.call_soon_threadsafe(self._cancel_all, loop)
        thread.join(5.0)

    def _start(self) -> None:
        import asyncio  # noqa: PLC0415 - see above

        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(loop,), name=f"dq-{self._name}-loop", daemon=True)
        self._thread.start()
        self._loop = loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio  # noqa: PLC0415 - see above

        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _begin(self, attempts: Sequence[Attempt]) -> None:
        self._waiting.extend(attempts)
        self._fill()

    def _fill(self) -> None:
        import asyncio  # noqa: PLC0415 - see above

        while self._waiting and len(self._current) < self._size:
            attempt = self._waiting.popleft()
            self._current.add(attempt)
            task = asyncio.ensure_future(self._run(attempt))
            # The loop itself keeps only weak references to its tasks.
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _, attempt=attempt: self._ended(attempt))  # type: ignore[misc]

    def _ended(self, attempt: Attempt) -> None:
        self._stuck.discard(attempt)
        self._give_place(attempt)

    def _give_place(self, attempt: Attempt) -> None:
        self._current.discard(attempt)
        self._fill()

    def _cancel_all(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio  # noqa: PLC0415 - see above

        for task in self._tasks:
            task.cancel()
        gathered = asyncio.gather(*self._tasks, return_exceptions=True)
        gathered.add_done_callback(lambda _: loop.stop())
