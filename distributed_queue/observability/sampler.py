"""The one look at the queue that all open pages share, whoever many there are."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.errors import DistributedQueueError, QueueClosed
from distributed_queue.observability.rates import Point, Rates, point_of, rates_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import QueueStats, StorageHealth, WorkerInfo

logger = logging.getLogger(__name__)

WATCHED_SECONDS = 2.0
"""How often the queue is looked at while someone watches."""
IDLE_SECONDS = 10.0
"""How often otherwise, so that the charts have a past when someone comes."""
WINDOW_SECONDS = 60.0
"""What rates and percentiles are over."""
POINT_SECONDS = 5.0
MAX_POINTS = 720
"""An hour of points for the charts."""
_HEALTH_SECONDS = 10.0
_PATIENCE_SECONDS = 3.0
"""How long a page waits for a fresh look; then it shows the last one."""


class Sample(NamedTuple):
    """What the storage said at a moment. While it is down, what it said last."""

    number: int = 0
    at: float = 0.0
    """On the monotonic clock."""
    time: float = 0.0
    """Seconds since the epoch."""
    queues: tuple[QueueStats, ...] = ()
    workers: tuple[WorkerInfo, ...] = ()
    health: StorageHealth | None = None
    rates: Rates = Rates()
    window: float = 0.0
    """Seconds that the rates are over."""
    error: str = ""
    """Why the storage cannot be used now; empty where it can."""
    down_since: float | None = None
    """Seconds since the epoch."""

    @property
    def up(self) -> bool:
        """Whether the storage answered."""
        return not self.error


class Sampler(threading.Thread):
    """Looks at the queue now and then, in a thread of its own, and tells those who watch."""

    def __init__(
        self, queue: HybridQueue, now: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(name="dq-dashboard", daemon=True)
        self._queue = queue
        self._now = now
        self._monotonic = monotonic
        self._looking = threading.Lock()
        self._past: deque[Sample] = deque()
        self._listeners: list[Callable[[], None]] = []
        self._wake = threading.Event()
        self._ended = False
        self._asked = ThreadPoolExecutor(1, thread_name_prefix="dq-dashboard-look")
        self._health: StorageHealth | None = None
        self._health_at = float("-inf")
        self._versions = ""
        """Those of the workers at the last point."""
        self.latest = Sample()
        self.points: deque[Point] = deque(maxlen=MAX_POINTS)

    @property
    def ended(self) -> bool:
        """Whether it looks no more."""
        return self._ended

    def run(self) -> None:
        """Look until told to end."""
        while not self._ended:
            self.look()
            self._wake.wait(WATCHED_SECONDS if self._listeners else IDLE_SECONDS)
            self._wake.clear()

    def end(self) -> None:
        """Look no more, and tell those who watch. A second call does nothing."""
        self._ended = True
        self._wake.set()
        self._asked.shutdown(wait=False)
        self._tell()

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener``, from this thread, after each look. Returns a function that ends it."""
        self._listeners.append(listener)
        self._wake.set()

        def leave() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return leave

    async def fresh(self, age_seconds: float = WATCHED_SECONDS) -> Sample:
        """A sample of at most this age, if the storage gives one in time."""
        old = self._monotonic() - self.latest.at >= age_seconds or not self.latest.number
        if old and not self._ended:
            looking = asyncio.get_running_loop().run_in_executor(self._asked, self.look, age_seconds)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(looking), _PATIENCE_SECONDS)
        return self.latest

    def look(self, age_seconds: float = 0.0) -> Sample:
        """Look now, unless someone else did so less than ``age_seconds`` ago."""
        with self._looking:
            if self.latest.number and self._monotonic() - self.latest.at < age_seconds:
                return self.latest
            self.latest = self._read()
        self._tell()
        return self.latest

    def _read(self) -> Sample:
        last = self.latest
        before = self._past[0] if self._past else last
        try:
            queues, workers = tuple(self._queue.queue_stats()), tuple(self._queue.workers())
            health = self._read_health()
        except QueueClosed:
            self._ended = True
            return last
        except DistributedQueueError as error:
            self._health_at = float("-inf")
            since = last.down_since or self._now()
            return last._replace(
                number=last.number + 1, at=self._monotonic(), error=str(error), down_since=since, health=None
            )
        at = self._monotonic()
        sample = Sample(last.number + 1, at, self._now(), queues, workers, health)
        if before.number:
            window = at - before.at
            sample = sample._replace(rates=rates_of(queues, before.queues, window), window=window)
        self._remember(sample)
        return sample

    def _read_health(self) -> StorageHealth:
        if self._health is None or self._monotonic() - self._health_at >= _HEALTH_SECONDS:
            self._health = self._queue.health()
            self._health_at = self._monotonic()
        return self._health

    def _remember(self, sample: Sample) -> None:
        if not self._past or sample.at - self._past[-1].at >= POINT_SECONDS:
            if self._past:
                before = self._past[-1]
                point = point_of(sample.time, sample.queues, before.queues, sample.at - before.at)
                self.points.append(point._replace(deploy=self._deploy(sample)))
            self._past.append(sample._replace(rates=Rates(), workers=()))
        while len(self._past) > 1 and self._past[1].at <= sample.at - WINDOW_SECONDS:
            self._past.popleft()

    def _deploy(self, sample: Sample) -> str:
        """What became of the workers' versions since this was asked last."""
        before = self._versions
        self._versions = ", ".join(sorted({worker.version for worker in sample.workers if worker.version})) or before
        return f"{before} → {self._versions}" if before and before != self._versions else ""

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()
