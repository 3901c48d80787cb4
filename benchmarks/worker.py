"""The worker that is measured, and the client's side of its process.

A process is told what to do by lines on its standard input, and answers each with a line of JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks import ENVIRONMENT
from distributed_queue import HybridQueue, Worker, WorkerConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

SLOTS = 10
"""The default of ``WorkerConfig``."""
LIMIT_SECONDS = 300.0
"""A measurement that takes longer than this has failed."""


class BenchWorker(Protocol):
    """A worker as scenarios see it."""

    def start(self) -> None:
        """Start to work."""

    def mark(self, count: int) -> None:
        """Begin to measure: ``count`` more tasks are to be done."""

    def finish(self) -> float:
        """Wait until they are done and settled; the processor time in seconds that the worker's process used since."""

    def latencies(self) -> list[float]:
        """Seconds that the ``timed`` and ``delayed`` tasks since the last call came after they were sent or due."""

    def cpu_seconds(self) -> float:
        """Processor time in seconds that the worker's process has used so far."""

    @property
    def pid(self) -> int:
        """The worker's process."""


class LocalWorker:
    """A worker in this process, with handlers that do nothing or tell the time. ``queues`` as ``WorkerConfig`` has."""

    def __init__(self, queue: HybridQueue, queues: list[str] | None) -> None:
        self._worker = Worker(queue, WorkerConfig(name="bench", max_workers=SLOTS, queues=queues))
        for handler in (self._noop, self._echo, self._timed, self._delayed):
            self._worker.register_handler(handler.__name__.lstrip("_"), handler)
        self._latencies: list[float] = []
        self._calls = itertools.count(1)
        self._last = 0
        self._done = threading.Event()
        self._settled_before = 0
        self._cpu_before = 0.0

    def start(self) -> None:
        """Start to work."""
        self._worker.start()

    def mark(self, count: int) -> None:
        """Begin to measure."""
        self._calls = itertools.count(1)
        self._last = count
        self._done.clear()
        self._settled_before = self._settled()
        self._cpu_before = time.process_time()

    def finish(self) -> float:
        """Wait for the last handler, then for its settlement."""
        if not self._done.wait(LIMIT_SECONDS):
            raise TimeoutError(f"{self._last} tasks were not done within {LIMIT_SECONDS:g} s")
        while self._settled() - self._settled_before < self._last:
            time.sleep(0.001)
        return time.process_time() - self._cpu_before

    def cpu_seconds(self) -> float:
        """Processor time that this process has used so far."""
        return time.process_time()

    @property
    def pid(self) -> int:
        """The process that it is in."""
        return os.getpid()

    def latencies(self) -> list[float]:
        """Give them away."""
        latencies, self._latencies = self._latencies, []
        return latencies

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._worker.stop()

    def _settled(self) -> int:
        return int(self._worker.get_stats()["processed"])

    def _noop(self, _: Any) -> None:
        if next(self._calls) == self._last:
            self._done.set()

    def _echo(self, data: str) -> str:
        self._noop(None)
        return data

    def _delayed(self, due: float) -> None:
        self._latencies.append(time.time() - due)
        self._noop(None)

    def _timed(self, sent_at: float) -> None:
        # The monotonic clock is the same in all processes of a machine.
        self._latencies.append(time.monotonic() - sent_at)
        self._noop(None)


class WorkerProcess:
    """The same in a process of its own."""

    def __init__(self, url: str, queues: list[str] | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", url, json.dumps(queues)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )

    def start(self) -> None:
        """Start to work."""
        self._ask("start")

    def mark(self, count: int) -> None:
        """Begin to measure."""
        self._ask(f"mark {count}")

    def finish(self) -> float:
        """Wait for the answer."""
        return float(self._ask("finish"))

    def latencies(self) -> list[float]:
        """Have them sent."""
        return list(self._ask("latencies"))

    def cpu_seconds(self) -> float:
        """Processor time that its process has used so far."""
        return float(self._ask("cpu"))

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def __enter__(self) -> Self:
        self._ask("hello")
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=60)

    def _ask(self, question: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker's process ended with {self._process.wait()} when it was told to {question}")
        return json.loads(answer)


def _serve(url: str, queues: list[str] | None) -> None:
    """Do what standard input says, until it ends."""
    with HybridQueue.from_url(url) as queue, LocalWorker(queue, queues) as worker:
        answers: dict[str, Callable[..., Any]] = {
            "hello": lambda: None,
            "start": worker.start,
            "mark": lambda count: worker.mark(int(count)),
            "finish": worker.finish,
            "latencies": worker.latencies,
            "cpu": time.process_time,
        }
        for line in sys.stdin:
            word, *arguments = line.split()
            print(json.dumps(answers[word](*arguments)), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
