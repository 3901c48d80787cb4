"""The worker's side: children that are started when they are needed, used again, and replaced."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from distributed_queue.core.worker.children.wire import Raised, RemoteTraceback, Returned, decode_answer, encode
from distributed_queue.core.worker.usage import resident_bytes
from distributed_queue.errors import ProcessDied

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.worker.children.wire import Logged, Progress, Run
    from distributed_queue.core.worker.config import WorkerConfig

_LOOK_SECONDS = 0.2
"""How often the memory of a child that runs is looked at."""
_LEAVE_SECONDS = 5.0
_MIB = 1 << 20


class Child:
    """One process. It runs one handler at a time."""

    def __init__(self, name: str, config: WorkerConfig) -> None:
        # Not before a child is needed: it takes as long as all the rest of a worker's start.
        import multiprocessing  # noqa: PLC0415

        from distributed_queue.core.worker.children.child import serve  # noqa: PLC0415

        # Never fork: the worker has threads.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, tuple(config.child_imports)), name=name, daemon=True
        )
        self._process.start()
        theirs.close()
        self._memory_limit_bytes = config.child_max_memory
        self.started = time.monotonic()
        self.runs = 0
        self.memory_bytes = 0
        """The most that it has taken, as far as it is known."""
        self.usable = True

    def run(self, request: Run, hear: Callable[[Progress | Logged], None]) -> bytes | None:
        """The encoded result of a handler. Raises what the handler raised, or ``ProcessDied``."""
        self.runs += 1
        try:
            self._connection.send_bytes(encode(request))
            while True:
                self._watch_memory()
                answer = decode_answer(self._connection.recv_bytes())
                if isinstance(answer, (Returned, Raised)):
                    break
                hear(answer)
        except (EOFError, OSError) as error:
            self.usable = False
            raise ProcessDied(self._how_it_ended()) from error
        self.memory_bytes = max(self.memory_bytes, answer.memory_bytes)
        if isinstance(answer, Returned):
            return answer.result
        raise self._rebuild(answer)

    def kill(self) -> None:
        """End it at once, whatever it runs."""
        self.usable = False
        with suppress(OSError, ValueError, AttributeError):  # it has ended already
            self._process.kill()

    def close(self) -> None:
        """Let it end, and free what is left of it."""
        self.usable = False
        self._connection.close()
        self._process.join(_LEAVE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()

    def _rebuild(self, raised: Raised) -> BaseException:
        error = raised.rebuild()
        error.__cause__ = RemoteTraceback(raised.traceback)
        return error

    def _watch_memory(self) -> None:
        """Return when it has something to say. One that takes more memory than it may is killed before."""
        limit = self._memory_limit_bytes
        if limit is None:
            return
        while not self._connection.poll(_LOOK_SECONDS):
            taken = resident_bytes(self._process.pid)
            if taken > limit:
                self.kill()
                raise ProcessDied(
                    f"The handler's process took {taken // _MIB:,} MiB; the limit is {limit // _MIB:,} MiB."
                )

    def _how_it_ended(self) -> str:
        self._process.join(_LEAVE_SECONDS)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"The handler's process was ended by {signal.Signals(-code).name}."
        return f"The handler's process ended with exit code {code}."


class Children:
    """The children of one worker. Thread-safe; whoever takes one has it alone."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._number = 0

    def take(self) -> Child:
        """An idle child, or a new one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._number += 1
            number = self._number
        return Child(f"dq-{self._config.name}-child-{number}", self._config)

    def give_back(self, child: Child) -> None:
        """Keep it for the next, or replace it where it died or is worn."""
        if child.usable and not self._is_worn(child):
            with self._lock:
                self._idle.append(child)
        else:
            child.close()

    def close(self) -> None:
        """Let those that are idle end."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def _is_worn(self, child: Child) -> bool:
        config = self._config
        return (
            (config.child_max_tasks is not None and child.runs >= config.child_max_tasks)
            or (config.child_max_age is not None and time.monotonic() - child.started >= config.child_max_age)
            or (config.child_max_memory is not None and child.memory_bytes > config.child_max_memory)
        )
