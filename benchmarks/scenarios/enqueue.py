"""Tasks enqueued: one by one, in batches, by many threads at once and by many coroutines at once."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from benchmarks.figures import Cpu, Sample
from benchmarks.load import BATCH, fill, measured, new_task, per_task
from distributed_queue import AsyncQueue, HybridQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

SINGLE = 4_000
BATCHED = 60_000
THREADS = 16
COROUTINES = 64
TOGETHER = 20_000


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """Each way into an empty queue."""
    single, together = scale.count(SINGLE), scale.count(TOGETHER)
    one_by_one = "raw: one by one"
    kinds: tuple[tuple[str, int, Callable[[HybridQueue, int], None], str], ...] = (
        ("one by one", single, _one_by_one, one_by_one),
        (
            f"batches of {BATCH}",
            scale.count(BATCHED),
            fill,
            one_by_one if place.engine == "memory" else f"raw: batches of {BATCH}",
        ),
        (f"{THREADS} threads, one by one", single, _threads, one_by_one),
        (f"{COROUTINES} coroutines, one by one", together, _coroutines, one_by_one),
    )
    for words, count, enqueue, reference in kinds:
        with HybridQueue.from_url(place.fresh()) as queue:
            fill(queue, BATCH)  # connections and scripts are there
            with measured(place) as cost:
                enqueue(queue, count)
        cpu = Cpu(per_task(cost.client, count), None, per_task(cost.storage, count))
        yield Sample(f"enqueued, {words}", count / cost.wall, "tasks/s", cpu, reference)


def _one_by_one(queue: HybridQueue, count: int) -> None:
    for _ in range(count):
        queue.put(new_task())


def _threads(queue: HybridQueue, count: int) -> None:
    shares = [count // THREADS + (number < count % THREADS) for number in range(THREADS)]
    threads = [threading.Thread(target=_one_by_one, args=(queue, share)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _coroutines(queue: HybridQueue, count: int) -> None:
    asyncio.run(_all_coroutines(queue, count))


async def _all_coroutines(queue: HybridQueue, count: int) -> None:
    twin = AsyncQueue(queue)
    left = iter(range(count))

    async def enqueue() -> None:
        for _ in left:
            await twin.put(new_task())

    await asyncio.gather(*(enqueue() for _ in range(COROUTINES)))
    await twin.detach()
