"""An exchange over several queues: one script a queue, in as few round trips as the order of preference lets it have.

The first trip settles in the queues that are not claimed from, settles and claims in the first one that is, and only
looks (``peek.lua``) at the others; those where a claim would change something follow one by one, since a later queue is
asked only for what the earlier ones did not give. Once nothing more is wanted, the rest goes in one trip again. A
worker that finds its first queue busy, or all of them idle, needs one trip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.storage import Claim, Exchange
from distributed_queue.storage.redis.codec import SECOND_MS, claimed_tasks, flags, settlement_args

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import ClaimedTask, ClaimRequest, Settlement
    from distributed_queue.storage.redis.gateway import Gateway
    from distributed_queue.storage.redis.operations import Slot
    from distributed_queue.storage.redis.pool import Command


class Exchanging:
    """One exchange in progress."""

    def __init__(
        self, gateway: Gateway, slot: Slot, settlements: Sequence[Settlement], request: ClaimRequest | None
    ) -> None:
        self._gateway = gateway
        self._slot = slot
        self._settlements = settlements
        self._request = request
        self._by_queue: dict[str, list[int]] = {}
        for index, each in enumerate(settlements):
            self._by_queue.setdefault(each.queue, []).append(index)
        self._wanted = max(0, request.limit) if request else 0
        self._counted = [False] * len(settlements)
        self._claimed: list[ClaimedTask] = []
        self._foreseen: list[float] = []

    def run(self) -> Exchange:
        """Do it."""
        queues = list(dict.fromkeys(self._request.queues)) if self._request else []
        others = [queue for queue in self._by_queue if queue not in queues]
        active = self._first_trip(others, queues)
        while active:
            together = active if self._wanted == 0 else active[:1]
            active = active[len(together) :]
            settles = not self._by_queue.keys().isdisjoint(together)
            calls = [self._call(queue, claims=True) for queue in together]
            replies = self._gateway.connections.run_all(calls, confirmed=settles)
            for queue, reply in zip(together, replies, strict=True):
                self._take(queue, reply, claims=True)
        due = min(self._foreseen) / SECOND_MS if self._foreseen else None
        return Exchange(self._counted, Claim(self._claimed, due))

    def _first_trip(self, others: list[str], queues: list[str]) -> list[str]:
        """Returns the queues that have to be gone through one by one."""
        first, rest = queues[:1], queues[1:]
        peeked = [queue for queue in rest if queue not in self._by_queue]
        commands = [
            *(self._call(queue, claims=False) for queue in others),
            *(self._call(queue, claims=True) for queue in first),
            *(self._gateway.timed("peek", queue, "1") for queue in peeked),
        ]
        settles = not self._by_queue.keys().isdisjoint([*others, *first])
        replies = iter(self._gateway.run([*others, *queues], commands, confirmed=settles))
        for queue in others:
            self._take(queue, next(replies), claims=False)
        for queue in first:
            self._take(queue, next(replies), claims=True)
        idle = set()
        for queue, (claimable, due, unswept) in zip(peeked, replies, strict=True):
            if not claimable and not unswept:
                idle.add(queue)
                self._foresee(due)
        return [queue for queue in rest if queue not in idle]

    def _call(self, queue: str, *, claims: bool) -> Command:
        settlements = [self._settlements[index] for index in self._by_queue.get(queue, ())]
        worker, limit, lease_ms = "", "", 0
        if claims and self._request is not None:
            worker, limit = self._request.worker_id, str(self._wanted)
            lease_ms = ceil_ms(self._request.lease_seconds)
        again = "1" if self._slot.again else "0"
        heads = (again, worker, limit, lease_ms, len(settlements))
        return self._gateway.operation("exchange", queue, self._slot, *heads, *settlement_args(settlements))

    def _take(self, queue: str, reply: list[Any], *, claims: bool) -> None:
        counted, now, due, claimed = reply
        for index, flag in zip(self._by_queue.get(queue, ()), flags(counted), strict=True):
            self._counted[index] = flag
        if claims:
            tasks = claimed_tasks(queue, now, claimed)
            self._claimed += tasks
            self._wanted = max(0, self._wanted - len(tasks))
            self._foresee(due)

    def _foresee(self, due: bytes) -> None:
        if due:
            self._foreseen.append(float(due))
