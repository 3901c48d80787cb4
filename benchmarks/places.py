"""The storages that are measured: where a fresh one is, and how much processor time and room it takes."""

from __future__ import annotations

import itertools
import tempfile
from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager
from pathlib import Path
from resource import RUSAGE_SELF, getpagesize, getrusage
from typing import TYPE_CHECKING, NamedTuple

import redis

from benchmarks.worker import LocalWorker, WorkerProcess
from distributed_queue import HybridQueue
from distributed_queue.testing.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.worker import BenchWorker


STATM = Path("/proc/self/statm")
"""Where Linux tells a process its size, in pages. Elsewhere, the most that it ever took has to do."""


class Session(NamedTuple):
    """A fresh queue, and a worker for it that has not been started."""

    queue: HybridQueue
    worker: BenchWorker


class Place(ABC):
    """A kind of storage."""

    name: str
    settings: str
    """What a reader of the figures has to know."""

    @abstractmethod
    def fresh(self) -> str:
        """The URL of an empty storage."""

    @abstractmethod
    def cpu_seconds(self) -> float | None:
        """Processor time that the storage's own process has used; None where it has none."""

    @abstractmethod
    def used_bytes(self) -> int:
        """Room that the latest fresh storage takes."""

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a fresh storage, with a worker in a process of its own."""
        url = self.fresh()
        with HybridQueue.from_url(url) as queue, WorkerProcess(url) as worker:
            yield Session(queue, worker)


class MemoryPlace(Place):
    """Memory of this process: client, worker and storage are one, and its time is all called the worker's."""

    name = "memory"
    settings = "client and worker in one process"

    def fresh(self) -> str:
        """Nothing is kept."""
        return "memory://"

    def cpu_seconds(self) -> None:
        """Part of the worker's."""

    def used_bytes(self) -> int:
        """What the whole process takes: tells something only in one that does nothing else."""
        if STATM.exists():
            return int(STATM.read_text().split()[1]) * getpagesize()
        return getrusage(RUSAGE_SELF).ru_maxrss

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Client and worker share the queue."""
        with HybridQueue.from_url(self.fresh()) as queue, LocalWorker(queue) as worker:
            yield Session(queue, worker)


class SQLitePlace(Place):
    """A file; the storage's time is spent in the processes that use it."""

    name = "sqlite"
    settings = "WAL, synchronous=FULL (the default)"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._file = folder

    def fresh(self) -> str:
        """A new file."""
        self._file = self._folder / f"{next(self._numbers)}.db"
        return f"sqlite:///{self._file}"

    def cpu_seconds(self) -> None:
        """Part of the client's and the worker's."""

    def used_bytes(self) -> int:
        """The file and its write-ahead log."""
        return sum(path.stat().st_size for path in self._folder.glob(f"{self._file.name}*"))


class RedisPlace(Place):
    """A server of its own, emptied before each measurement."""

    name = "redis"
    settings = "no persistence"

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._client = redis.Redis.from_url(server.url)

    def fresh(self) -> str:
        """Drop all keys."""
        self._server.flush()
        return self._server.url

    def cpu_seconds(self) -> float:
        """User and system time, as the server counts it."""
        usage = self._client.info("cpu")
        return float(usage["used_cpu_user"]) + float(usage["used_cpu_sys"])

    def used_bytes(self) -> int:
        """What its allocator has handed out."""
        return int(self._client.info("memory")["used_memory"])

    def close(self) -> None:
        """Leave the server."""
        self._client.close()


NAMES = ("memory", "sqlite", "redis")


@contextmanager
def open_places(names: list[str]) -> Iterator[list[Place]]:
    """The storages of these names, for as long as the block lasts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        places: list[Place] = []
        for name in names:
            if name == "memory":
                places.append(MemoryPlace())
            elif name == "sqlite":
                places.append(SQLitePlace(folder))
            else:
                place = RedisPlace(stack.enter_context(RedisServer(folder / "redis")))
                stack.callback(place.close)
                places.append(place)
        yield places
