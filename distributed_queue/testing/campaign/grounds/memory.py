"""The memory of this process, with threads as members."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.registry import open_storage
from distributed_queue.testing.campaign.faults import STORAGE, FaultKind
from distributed_queue.testing.campaign.faults.processes import orderly_ends
from distributed_queue.testing.campaign.grounds.ground import Ground
from distributed_queue.testing.campaign.members import Crew
from distributed_queue.testing.campaign.threads import ThreadProducer, ThreadWorker
from distributed_queue.testing.campaign.workload import SURVIVABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed_queue.core.storage import Storage
    from distributed_queue.testing.campaign.programs import Spec
    from distributed_queue.testing.campaign.threads import ThreadMember

_JUMP_SECONDS = 1.5


class JumpingClock:
    """The machine's clock, put forward now and then."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.ahead_seconds = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now() + self.ahead_seconds


class MemoryGround(Ground):
    """``memory://``, whose clock can be put forward, and whose requests and answers can be lost."""

    hostile = SURVIVABLE
    _storage: Storage
    _clock: JumpingClock
    _workers: Sequence[ThreadWorker] = ()
    _producers: Sequence[ThreadProducer] = ()

    def start(self) -> None:
        """Make it."""
        self._clock = JumpingClock()
        self._storage = open_storage("memory://", self._clock)
        self._cleanup.callback(self._storage.close)

    def open(self) -> HybridQueue:
        """For whoever runs the campaign."""
        queue = HybridQueue()
        queue.storage = self._storage
        return queue

    def recruit(self, workers: Sequence[Spec], producers: Sequence[Spec]) -> Crew:
        """Make the crew. Once."""
        self._workers = [ThreadWorker(spec, self._storage) for spec in workers]
        self._producers = [ThreadProducer(spec, self._storage) for spec in producers]
        return Crew(self._workers, self._producers)

    def faults(self, lease_seconds: float) -> list[FaultKind]:
        """Of the ways to the storage, and of its clock."""
        members: dict[str, ThreadMember] = {member.slot: member for member in (*self._workers, *self._producers)}
        places = tuple(members)

        def losing(before: float, after: float) -> Callable[[str], Iterator[None]]:
            def strike(slot: str) -> Iterator[None]:
                wire = members[slot].wire
                wire.before, wire.after = before, after
                yield
                wire.before = wire.after = 0.0

            return strike

        return [
            orderly_ends(self._workers),
            FaultKind("requests lost", places, contextmanager(losing(0.5, 0.0)), (0.5, 2.0)),
            FaultKind("replies lost", places, contextmanager(losing(0.0, 0.5)), (0.5, 2.0), weight=2),
            FaultKind("partition", places, contextmanager(losing(1.0, 0.0)), (0.3, 1.5 * lease_seconds), weight=2),
            FaultKind("clock put forward", (STORAGE,), self._jump),
        ]

    def version(self) -> str:
        """What it is, with its version."""
        return f"the memory of {platform.python_implementation()}"

    @contextmanager
    def _jump(self, _: str) -> Iterator[None]:
        self._clock.ahead_seconds += _JUMP_SECONDS
        yield
