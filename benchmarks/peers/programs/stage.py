"""The side of a peer that enqueues, told by lines on its standard input what to do and how long.

A peer's program hands in what it does to enqueue, as coroutines; one that never awaits anything costs what a plain loop
does. It runs in the environments of all peers, so it needs nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

URL = os.environ.get("PEERS_URL", "")
RESULTS = os.environ.get("PEERS_RESULTS") == "1"
"""Whether results are to be kept."""
DATA = "x" * 26
"""The argument of each task; with the name of its handler it makes 50 bytes."""
PAUSE_SECONDS = (0.01, 0.02)


class Client(ABC):
    """What a peer does to enqueue."""

    batches = True
    """Whether it has a way to enqueue many at once."""

    async def open(self) -> None:  # noqa: B027 - there are clients that need none
        """Connect."""

    @abstractmethod
    async def one(self) -> None:
        """Enqueue a task."""

    @abstractmethod
    async def timed(self, sent_at: float) -> None:
        """Enqueue a task that tells how long it was under way."""

    async def many(self, count: int) -> None:
        """Enqueue so many at once."""
        for _ in range(count):
            await self.one()


def serve(client: Client) -> None:
    """Do what standard input says, until it ends."""
    try:
        import uvloop  # noqa: PLC0415 - a peer's own environment has it where that peer is faster with it
    except ImportError:
        asyncio.run(_serve(client))
    else:
        uvloop.run(_serve(client))


async def _serve(client: Client) -> None:
    await client.open()
    deeds: dict[str, Callable[..., Awaitable[Any]]] = {
        "hello": _hello,
        "singles": _singles,
        "batches": _batches,
        "fill": _fill,
        "idle": _idle,
        "steady": _steady,
    }
    while line := await asyncio.to_thread(sys.stdin.readline):
        word, *numbers = line.split()
        print(json.dumps(await deeds[word](client, *map(float, numbers))), flush=True)


async def _hello(client: Client) -> bool:
    return client.batches


async def _singles(client: Client, seconds: float) -> dict[str, float]:
    return await _repeated(client.one, 1, seconds)


async def _batches(client: Client, seconds: float, size: float) -> dict[str, float]:
    return await _repeated(lambda: client.many(int(size)), int(size), seconds)


async def _repeated(enqueue: Callable[[], Awaitable[None]], size: int, seconds: float) -> dict[str, float]:
    count, cpu, began = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        await enqueue()
        count += size
    return {"count": count, "seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}


async def _fill(client: Client, count: float) -> None:
    for _ in range(int(count) // 100):
        await client.many(100)


async def _idle(client: Client, count: float) -> None:
    for _ in range(int(count)):
        await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
        await client.timed(time.monotonic())


async def _steady(client: Client, count: float, rate: float) -> None:
    """An open loop: a task is sent when it is due, whatever became of those before."""
    began = time.perf_counter()
    for number in range(int(count)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        await client.timed(time.monotonic())
