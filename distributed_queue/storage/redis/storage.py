"""The verbs of the port, on a Redis server."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from distributed_queue.core.clock import Clock, ManualClock, ceil_ms
from distributed_queue.core.durability import check_promise
from distributed_queue.core.storage import (
    BeatReply,
    Claim,
    ClaimRequest,
    Command,
    Demand,
    Durability,
    Exchange,
    JournalEntry,
    Lease,
    LeaseState,
    NewTask,
    Page,
    Promise,
    QueueConfig,
    QueueStats,
    Settlement,
    Storage,
    StorageHealth,
    StoredTask,
    TaskFilter,
    TaskUpdate,
    WorkerInfo,
)
from distributed_queue.errors import QueueClosed, StorageError
from distributed_queue.storage.redis import controlling, durability, enqueueing, listing, reading, workers
from distributed_queue.storage.redis.addresses import read_url
from distributed_queue.storage.redis.arrivals import Arrivals
from distributed_queue.storage.redis.cluster import ClusterConnections
from distributed_queue.storage.redis.codec import pack_id
from distributed_queue.storage.redis.exchanging import Exchanging
from distributed_queue.storage.redis.gateway import Gateway
from distributed_queue.storage.redis.operations import Operations
from distributed_queue.storage.redis.single import SingleConnections
from distributed_queue.storage.redis.waiting import WaitingRoom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.storage.redis.connection import Connections

_LEASE_STATES = {0x30: LeaseState.LOST, 0x31: LeaseState.HELD, 0x32: LeaseState.CANCEL}


class RedisStorage(Storage):
    """A client of Redis, 6.2 or later: one server, one that Sentinels watch over, or a Cluster."""

    exchanges_at_once = 2

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        target = read_url(url)
        kind = ClusterConnections if target.topology == "cluster" else SingleConnections
        self._connections: Connections = kind(target)
        self._connections.check_servers()
        self.url = self._connections.url
        self._clock = clock
        self._demand: Demand | None = None
        self._gateway = Gateway(self._connections, clock)
        self._operations = Operations()
        self._waiting = WaitingRoom(self._connections)
        if isinstance(clock, ManualClock):
            clock.on_advance(self._clock_moved)

    @classmethod
    def from_url(cls, url: str, clock: Clock | None = None) -> RedisStorage:
        """``redis://[user:password@]host[:port][/database]``, or one of these two. ``rediss…`` for TLS, with ``ssl_…``.

        ``redis+sentinel://[…@]host[:port][,host…]/service[/database]``, ``redis+cluster://[…@]host[:port][,host…]``.
        """
        return cls(url, clock)

    # Work

    def enqueue(self, tasks: Sequence[NewTask]) -> list[bool]:
        if not tasks:
            self._connections.check_open()
            return []
        return enqueueing.enqueue(self._gateway, self._operations, tasks)

    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        if not settlements and request is None:
            self._connections.check_open()
            return Exchange([], Claim([]))
        with self._operations.begin(request.worker_id if request else None) as slot:
            return Exchanging(self._gateway, slot, settlements, request).run()

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        by_queue: dict[str, list[int]] = {}
        for index, lease in enumerate(leases):
            by_queue.setdefault(lease.queue, []).append(index)
        commands = []
        for queue, indexes in by_queue.items():
            args = [value for index in indexes for value in (pack_id(leases[index].id), leases[index].attempt)]
            commands.append(self._gateway.timed("extend", queue, ceil_ms(lease_seconds), *args))
        self._connections.check_open()
        states = [LeaseState.LOST] * len(leases)
        for indexes, reply in zip(by_queue.values(), self._gateway.run(by_queue, commands), strict=True):
            for index, byte in zip(indexes, reply, strict=True):
                states[index] = _LEASE_STATES[byte]
        return states

    def wait(self, queues: Sequence[str], timeout: float) -> tuple[str, ...]:
        self._connections.check_open()
        return self._waiting.wait(Arrivals(self._gateway, queues), timeout)

    def await_claim(self, request: ClaimRequest, timeout: float) -> Claim:
        self._connections.check_open()
        if len(set(request.queues)) != 1:
            return super().await_claim(request, timeout)
        with self._operations.begin(request.worker_id) as slot:
            exchanging = Exchanging(self._gateway, slot, [], request)
            reply: list[Any] = []
            if not slot.again:
                arrivals = Arrivals(self._gateway, request.queues)
                reply = self._waiting.claim(arrivals, timeout, exchanging.claim_command())
            return (exchanging.answered(reply) if reply else exchanging.run()).claim

    def wake(self) -> None:
        # A server that is away has ended the waits by itself, and so has close().
        with suppress(StorageError, QueueClosed):
            self._waiting.wake()

    # Reading

    def get(self, ids: Sequence[str], queue: str | None = None) -> list[StoredTask | None]:
        self._connections.check_open()
        return reading.get(self._gateway, ids, queue)

    def find(self, where: TaskFilter, cursor: str | None = None, limit: int = 100) -> Page:
        return listing.find(self._gateway, where, cursor, limit)

    def stats(self, queues: Sequence[str] | None = None) -> list[QueueStats]:
        return reading.stats(self._gateway, queues)

    def queues(self) -> tuple[str, ...]:
        return self._gateway.queues()

    # Control

    def cancel(self, queue: str, ids: Sequence[str]) -> list[StoredTask | None]:
        return controlling.cancel(self._gateway, queue, ids)

    def requeue(self, queue: str, ids: Sequence[str], delays: Sequence[float] = ()) -> list[bool]:
        return controlling.requeue(self._gateway, self._operations, queue, ids, delays)

    def delete(self, queue: str, ids: Sequence[str]) -> list[bool]:
        return controlling.delete(self._gateway, self._operations, queue, ids)

    def update(self, queue: str, task_id: str, changes: TaskUpdate) -> bool:
        return controlling.update(self._gateway, self._operations, queue, task_id, changes)

    def clear(self, queue: str) -> int:
        return controlling.clear(self._gateway, self._operations, queue)

    def configure(self, queue: str, changes: dict[str, object]) -> QueueConfig:
        return controlling.configure(self._gateway, queue, changes)

    # Workers

    def beat(self, worker: WorkerInfo) -> BeatReply:
        return workers.beat(self._gateway, self._operations, worker)

    def workers(self) -> list[WorkerInfo]:
        return workers.alive(self._gateway)

    def command(self, worker: str, command: Command) -> None:
        workers.command(self._gateway, self._operations, worker, command)

    # Journal

    def journal(self, queue: str, after: int, limit: int, timeout: float = 0.0) -> list[JournalEntry]:
        return reading.journal(self._gateway, self._waiting, queue, after, limit, timeout)

    def journal_tail(self, queue: str) -> int:
        return reading.journal_tail(self._gateway, queue)

    # Life

    def health(self) -> StorageHealth:
        return durability.health(self._connections, self._demand)

    def promise(self) -> Promise:
        return durability.promise(self._connections, self._connections.confirmation)

    def demand(self, demand: Demand) -> None:
        waits = demand.profile is Durability.REPLICATED
        confirmation = durability.Confirmation(self.url, demand.replicas) if waits else None
        check_promise(durability.promise(self._connections, confirmation), demand, self.url)
        self._connections.confirmation = confirmation
        self._demand = demand

    def close(self) -> None:
        if not self._connections.closed:
            self._connections.close(self._waiting.wake_commands())

    def _clock_moved(self) -> None:
        if not self._connections.closed:
            self._waiting.wake(journals=False)
