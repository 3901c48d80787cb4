"""The same bytes through nothing but the storage's own client: what a queue on top of it is compared with."""

from __future__ import annotations

import heapq
import threading
from typing import TYPE_CHECKING

import apsw
import redis

from benchmarks.figures import Cpu, Sample
from benchmarks.load import BATCH, measured, new_task, per_task
from benchmarks.places import SQLitePlace
from benchmarks.scenarios.enqueue import BATCHED, SINGLE
from distributed_queue.core.task import to_new_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.load import Cost, Scale
    from benchmarks.places import Place

BODY = to_new_task(new_task()).body


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """One by one, and in batches where the storage has some."""
    kinds: dict[str, Callable[[str, Place, Scale], Iterator[Sample]]] = {
        "memory": _heap,
        "sqlite": _inserts,
        "redis": _pushes,
    }
    yield from kinds[place.engine](place.fresh(), place, scale)


def _sample(figure: str, count: int, cost: Cost) -> Sample:
    cpu = Cpu(per_task(cost.client, count), None, per_task(cost.storage, count))
    return Sample(f"raw: {figure}", count / cost.wall, "tasks/s", cpu)


def _heap(_url: str, place: Place, scale: Scale) -> Iterator[Sample]:
    """``heapq`` under a lock."""
    heap: list[tuple[int, int, bytes]] = []
    lock, count = threading.Lock(), scale.count(BATCHED)
    with measured(place) as filling:
        for number in range(count):
            with lock:
                heapq.heappush(heap, (100, number, BODY))
    yield _sample("one by one", count, filling)
    with measured(place) as draining:
        for _ in range(count):
            with lock:
                heapq.heappop(heap)
    filling.wall += draining.wall
    filling.client += draining.client
    yield _sample("heap with a lock, in and out", count, filling)


def _inserts(_url: str, place: Place, scale: Scale) -> Iterator[Sample]:
    """``INSERT`` into a table of one column, as durable as the engine is."""
    assert isinstance(place, SQLitePlace)
    connection = apsw.Connection(str(place.file))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", place.synchronous)
    connection.execute("CREATE TABLE raw (body BLOB)")
    count = scale.count(SINGLE)
    with measured(place) as cost:
        for _ in range(count):
            connection.execute("INSERT INTO raw VALUES (?)", (BODY,))
    yield _sample("one by one", count, cost)
    count = scale.count(BATCHED)
    with measured(place) as cost:
        for _ in range(count // BATCH):
            with connection:
                connection.executemany("INSERT INTO raw VALUES (?)", [(BODY,)] * BATCH)
    yield _sample(f"batches of {BATCH}", count, cost)
    connection.close()


def _pushes(url: str, place: Place, scale: Scale) -> Iterator[Sample]:
    """``LPUSH`` of redis-py, one by one and pipelined."""
    with redis.Redis.from_url(url) as client:
        count = scale.count(SINGLE)
        with measured(place) as cost:
            for _ in range(count):
                client.lpush("raw", BODY)
        yield _sample("one by one", count, cost)
        count = scale.count(BATCHED)
        with measured(place) as cost:
            for _ in range(count // BATCH):
                pipeline = client.pipeline(transaction=False)
                for _ in range(BATCH):
                    pipeline.lpush("raw", BODY)
                pipeline.execute()
        yield _sample(f"batches of {BATCH}", count, cost)
