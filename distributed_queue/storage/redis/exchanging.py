"""An exchange over several queues: one script a queue, in as few round trips as the order of preference lets it have.

The first trip settles in the queues that are not claimed from, settles and claims in the first one that is, and only
looks (``peek.lua``) at the others. A later queue is asked only for what the earlier ones did not give; but what each
has to give is known then, so the second trip claims from as many as it takes, from each what it was seen to have.
Where a claim may make more claimable before it takes (``untidy``), it is the last of its trip, and so is each where an
earlier exchange was never answered (see ``operations``). The last trip settles what is left, and passes on to waiters
what was not wanted. A worker that finds its first queue busy, or all of them idle, needs one trip; one that finds its
tasks elsewhere needs two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.storage import Claim, Exchange, Outcome
from distributed_queue.storage.redis.codec import SECOND_MS, claimed_tasks, flags, settlement_args

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import ClaimedTask, ClaimRequest, Settlement
    from distributed_queue.storage.redis.gateway import Gateway
    from distributed_queue.storage.redis.operations import Slot
    from distributed_queue.storage.redis.wire import Command

_GIVING_BACK = frozenset({Outcome.RETRY, Outcome.RELEASE, Outcome.SNOOZE})
"""Outcomes after which a task may be claimed again."""


class Seen(NamedTuple):
    """A queue that has still to be gone through, and what ``peek.lua`` saw in it."""

    queue: str
    claimable: int = 0
    due: bytes = b""
    untidy: int = 1
    """Whether a claim may give more than that."""
    unwoken: int = 1
    """Whether a waiter is to be woken for what is left there."""


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

    def claim_command(self) -> Command:
        """The script that does all of it, where it is a claim from one queue."""
        (queue,) = self._queues()
        return self._call(queue, self._wanted)

    def answered(self, reply: list[Any]) -> Exchange:
        """What ``claim_command`` was answered."""
        (queue,) = self._queues()
        self._take(queue, reply, claims=True)
        return self._exchanged()

    def run(self) -> Exchange:
        """Do it."""
        left = self._first_trip(self._queues())
        while self._wanted and (shares := self._shares(left)):
            self._claim(shares)
            left = [seen for seen in left if seen.queue not in shares]
        self._pass_on(left)
        return self._exchanged()

    def _queues(self) -> list[str]:
        return list(dict.fromkeys(self._request.queues)) if self._request else []

    def _exchanged(self) -> Exchange:
        due = min(self._foreseen) / SECOND_MS if self._foreseen else None
        return Exchange(self._counted, Claim(self._claimed, due))

    def _first_trip(self, queues: list[str]) -> list[Seen]:
        """Returns the queues that have still to be gone through."""
        first, rest, asked = queues[:1], queues[1:], set(queues)
        others = [queue for queue in self._by_queue if queue not in asked]
        # What is to be handed over again only a claim can tell.
        blind = rest if self._slot.again else []
        peeked = [] if blind else rest
        commands = [
            *(self._call(queue, None) for queue in others),
            *(self._call(queue, self._wanted) for queue in first),
            *(self._peek(queue) for queue in peeked),
        ]
        settles = not self._by_queue.keys().isdisjoint([*others, *first])
        replies = iter(self._gateway.run([*others, *queues], commands, confirmed=settles))
        for queue in others:
            self._take(queue, next(replies), claims=False)
        for queue in first:
            self._take(queue, next(replies), claims=True)
        return [Seen(queue) for queue in blind] + [
            Seen(queue, *seen) for queue, seen in zip(peeked, replies, strict=True)
        ]

    def _shares(self, left: Sequence[Seen]) -> dict[str, int]:
        """How many tasks to ask each of the next queues for: as long as it is certain what each gives."""
        shares: dict[str, int] = {}
        wanted = self._wanted
        for seen in left:
            share = wanted if seen.untidy else min(wanted, seen.claimable)
            if share or seen.queue in self._by_queue:
                shares[seen.queue] = share
                wanted -= share
            if wanted == 0:
                break
        return shares

    def _pass_on(self, left: Sequence[Seen]) -> None:
        """Go through the queues of which nothing is wanted."""
        full = self._wanted == 0
        touched = {}
        for seen in left:
            if seen.queue in self._by_queue or (full and (seen.untidy or seen.unwoken)):
                touched[seen.queue] = 0
            else:
                self._foresee(seen.due)
        self._claim(touched)

    def _peek(self, queue: str) -> Command:
        outcomes = {self._settlements[index].outcome for index in self._by_queue.get(queue, ())}
        settles = "" if not outcomes else "2" if outcomes & _GIVING_BACK else "1"
        return self._gateway.timed("peek", queue, self._wanted, settles)

    def _claim(self, shares: dict[str, int]) -> None:
        if not shares:
            return
        settles = not self._by_queue.keys().isdisjoint(shares)
        calls = [self._call(queue, share) for queue, share in shares.items()]
        for queue, reply in zip(shares, self._gateway.connections.run_all(calls, confirmed=settles), strict=True):
            self._take(queue, reply, claims=True)

    def _call(self, queue: str, limit: int | None) -> Command:
        """Settle what is to be settled in a queue, and claim unless ``limit`` is None."""
        settlements = [self._settlements[index] for index in self._by_queue.get(queue, ())]
        worker, lease_ms = "", 0
        if limit is not None and self._request is not None:
            worker, lease_ms = self._request.worker_id, ceil_ms(self._request.lease_seconds)
        again = "1" if self._slot.again else "0"
        heads = (again, worker, "" if limit is None else limit, lease_ms, len(settlements))
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
