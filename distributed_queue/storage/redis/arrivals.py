"""Whether there is work in some queues: by looking, and by the markers that ``waiting`` describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core.clock import ManualClock
from distributed_queue.storage.redis.codec import SECOND_MS
from distributed_queue.storage.redis.keys import queue_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.storage.redis.gateway import Gateway


class Arrivals:
    """What one waiter knows of its queues."""

    def __init__(self, gateway: Gateway, queues: Sequence[str]) -> None:
        self._gateway = gateway
        self._by_key = {queue_keys(queue).wake: queue for queue in queues}
        self._seen_at: dict[str, float] = {}
        """When each was looked at last: milliseconds, by the clock that the markers are dated by."""

    @property
    def keys(self) -> list[bytes]:
        """Where their markers are."""
        return list(self._by_key)

    def look(self) -> tuple[tuple[str, ...], float | None]:
        """The queues that have work; the seconds until one may have some, or None."""
        found, foreseen = [], []
        queues = self._by_key.values()
        replies = self._gateway.read([self._gateway.timed("peek", queue, "") for queue in queues])
        for queue, (claimable, due, now) in zip(queues, replies, strict=True):
            self._seen_at[queue] = float(now)
            if claimable:
                found.append(queue)
            if due and not isinstance(self._gateway.clock, ManualClock):  # which tells by itself when it moves
                foreseen.append(float(due) / SECOND_MS)
        return tuple(found), min(foreseen, default=None)

    def told(self, popped: Sequence[Any]) -> tuple[str, ...]:
        """The queues whose markers, as ``BZPOPMIN`` answers with them, are younger than the look."""
        markers = [(self._by_key.get(pop[0]), float(pop[2])) for pop in popped if pop is not None]
        return tuple(queue for queue, set_at in markers if queue is not None and set_at > self._seen_at[queue])
