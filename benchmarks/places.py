"""The storages that are measured: where a fresh one is, and how much processor time and room it takes."""

from __future__ import annotations

import itertools
import tempfile
from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager
from pathlib import Path
from resource import RUSAGE_SELF, getpagesize, getrusage
from typing import TYPE_CHECKING, NamedTuple

import apsw
import redis

from benchmarks.worker import LocalWorker, WorkerProcess
from distributed_queue import HybridQueue
from distributed_queue.testing.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from benchmarks.worker import BenchWorker


DEFAULT = ("default",)
NAMES_OF_SQLITE = {"full": "sqlite", "normal": "sqlite-normal"}
UNSYNCED = NAMES_OF_SQLITE["normal"]
NAMES = ("memory", *NAMES_OF_SQLITE.values(), "redis")
STATM = Path("/proc/self/statm")
"""Where Linux tells a process its size, in pages. Elsewhere, the most that it ever took has to do."""


class Session(NamedTuple):
    """A fresh queue, and workers for it that have not been started."""

    queue: HybridQueue
    workers: list[BenchWorker]

    @property
    def worker(self) -> BenchWorker:
        """The first of them."""
        return self.workers[0]


class Place(ABC):
    """A kind of storage."""

    name: str
    engine: str
    """The same for all settings of one engine."""
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
    def session(self, workers: int = 1, queues: Sequence[str] | None = DEFAULT) -> Iterator[Session]:
        """Open a fresh storage, with workers in processes of their own. None for ``queues`` means all there are."""
        url = self.fresh()
        with ExitStack() as stack:
            queue = stack.enter_context(HybridQueue.from_url(url))
            yield Session(queue, [stack.enter_context(self._worker(queue, url, queues)) for _ in range(workers)])

    def _worker(
        self, queue: HybridQueue, url: str, queues: Sequence[str] | None
    ) -> AbstractContextManager[BenchWorker]:
        del queue
        return WorkerProcess(url, None if queues is None else list(queues))


class MemoryPlace(Place):
    """Memory of this process: client, worker and storage are one, and its time is all called the worker's."""

    name = engine = "memory"
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

    def _worker(
        self, queue: HybridQueue, url: str, queues: Sequence[str] | None
    ) -> AbstractContextManager[BenchWorker]:
        del url
        return LocalWorker(queue, None if queues is None else list(queues))


class SQLitePlace(Place):
    """A file; the storage's time is spent in the processes that use it."""

    engine = "sqlite"

    def __init__(self, folder: Path, synchronous: str) -> None:
        self.synchronous = synchronous
        self.name = NAMES_OF_SQLITE[synchronous]
        self.settings = f"WAL, synchronous={synchronous.upper()}" + (" (the default)" if synchronous == "full" else "")
        self._folder = folder / self.name
        self._folder.mkdir()
        self._numbers = itertools.count(1)
        self._file = folder

    def fresh(self) -> str:
        """A new file."""
        self._file = self._folder / f"{next(self._numbers)}.db"
        return f"sqlite:///{self._file}?synchronous={self.synchronous}"

    @property
    def file(self) -> Path:
        """The latest fresh one."""
        return self._file

    def cpu_seconds(self) -> None:
        """Part of the client's and the worker's."""

    def used_bytes(self) -> int:
        """Pages in use, whether they have reached the file already or are in its write-ahead log."""
        connection = apsw.Connection(str(self._file))
        pages, size, free = (connection.pragma(name) for name in ("page_count", "page_size", "freelist_count"))
        connection.close()
        return int(pages - free) * int(size)


class RedisPlace(Place):
    """A server of its own, emptied before each measurement."""

    name = engine = "redis"
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


@contextmanager
def open_places(names: list[str]) -> Iterator[list[Place]]:
    """The storages of these names, for as long as the block lasts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        places: list[Place] = []
        for name in names:
            if name == "memory":
                places.append(MemoryPlace())
            elif name in NAMES_OF_SQLITE.values():
                places.append(SQLitePlace(folder, next(k for k, v in NAMES_OF_SQLITE.items() if v == name)))
            else:
                place = RedisPlace(stack.enter_context(RedisServer(folder / "redis")))
                stack.callback(place.close)
                places.append(place)
        yield places
