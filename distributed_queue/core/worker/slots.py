"""The threads in which ``def`` handlers run."""

from __future__ import annotations

import itertools
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from distributed_queue.core.worker.attempt import Attempt


_CLOSE_SECONDS = 0.1


class Slots:
    """Threads that take attempts in turn. They are started when they are first needed, and are daemons."""

    def __init__(self, name: str, size: int, run: Callable[[Attempt], None]) -> None:
        self._name = name
        self._run = run
        self._inbox: SimpleQueue[Attempt | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._size = size
        self._threads: dict[int, threading.Thread] = {}
        self._current: dict[int, Attempt] = {}
        self._stuck: set[int] = set()
        """Threads that were replaced and still run their handler."""
        self._numbers = itertools.count(1)

    @property
    def stuck(self) -> int:
        """How many threads do not come back from their handlers, though others have taken their places."""
        return len(self._stuck)

    def stuck_attempts(self) -> list[Attempt]:
        """What these threads run."""
        with self._lock:
            return [attempt for number, attempt in list(self._current.items()) if number in self._stuck]

    def submit(self, attempts: Iterable[Attempt], held: int) -> None:
        """Queue attempts; ``held`` is how many the worker has in all, which is how many threads may be needed."""
        if len(self._threads) < min(self._size, held):
            self._grow(min(self._size, held))
        for attempt in attempts:
            self._inbox.put(attempt)

    def resize(self, size: int) -> None:
        """Change the number of threads; those that are too many end after what they run."""
        with self._lock:
            surplus = len(self._threads) - size
            self._size = size
        # Whoever takes one of these looks whether it is surplus: meanwhile the number may have been raised again.
        for _ in range(surplus):
            self._inbox.put(None)

    def replace(self, attempt: Attempt) -> bool:
        """Stop counting on the thread that runs this attempt; another one takes its place."""
        with self._lock:
            for number, running in list(self._current.items()):
                if running is attempt and number in self._threads:
                    del self._threads[number]
                    self._stuck.add(number)
                    self._start()
                    return True
        return False

    def close(self) -> None:
        """Let idle threads end, and busy ones after what they run; wait a moment for those that can."""
        self.resize(0)
        end = time.monotonic() + _CLOSE_SECONDS
        for thread in list(self._threads.values()):
            thread.join(max(0.0, end - time.monotonic()))

    def _grow(self, size: int) -> None:
        with self._lock:
            while len(self._threads) < size:
                self._start()

    def _start(self) -> None:
        number = next(self._numbers)
        thread = threading.Thread(target=self._loop, args=(number,), name=f"dq-{self._name}-slot-{number}", daemon=True)
        self._threads[number] = thread
        thread.start()

    def _loop(self, number: int) -> None:
        inbox, run, current, threads = self._inbox, self._run, self._current, self._threads
        while number in threads:
            attempt = inbox.get()
            if attempt is not None:
                current[number] = attempt
                run(attempt)
                del current[number]
            elif self._leave(number):
                return
        with self._lock:
            self._stuck.discard(number)

    def _leave(self, number: int) -> bool:
        """Strike out a thread that is surplus."""
        with self._lock:
            surplus = len(self._threads) > self._size
            if surplus:
                self._threads.pop(number, None)
            return surplus
