"""Work in progress while the server is flooded with submissions that it refuses: how much of its rate is left.

::

    python -m distributed_queue.tests.chaos.overload --engine redis --rounds 3 --seconds 4 --clients 16

One server with workers; handlers that wait for 10 ms, as those do that call others. In each round the rate of work is
measured without and with a flood, one after the other, on the same server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import Task
from distributed_queue.testing.servers import RedisServer
from distributed_queue.tests.surfaces.programs import Program

HANDLERS = """
import time

def work(data):
    time.sleep(0.01)

handlers = {"work": work}
"""
SLOTS = 10
MOST_PER_SECOND = SLOTS / 0.01
LEAST_SHARE = 0.8
FULL = "full"
_BATCH = 1000


class Round(NamedTuple):
    """What one round measured."""

    alone: float
    """Tasks completed per second without the flood."""
    flooded: float
    refused: float
    """Submissions refused per second."""
    slowest: float
    """Seconds that the slowest refusal took."""

    @property
    def share(self) -> float:
        """How much of the rate was left."""
        return self.flooded / self.alone


class Flood:
    """Clients that submit to a full queue, again as soon as they are answered."""

    def __init__(self, port: int, clients: int) -> None:
        self._port = port
        self._clients = clients
        body = json.dumps({"queue": FULL, "payload": {"type": "work"}}).encode()
        lines = ("POST /api/v1/tasks HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json")
        head = "\r\n".join((*lines, f"Content-Length: {len(body)}"))
        self._request = f"{head}\r\n\r\n".encode() + body
        self.seconds: list[float] = []
        """What each refusal took."""

    async def run(self, seconds: float) -> None:
        """Flood for so long."""
        end = time.monotonic() + seconds
        await asyncio.gather(*(self._submit_until(end) for _ in range(self._clients)))

    async def _submit_until(self, end: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while time.monotonic() < end:
            started = time.monotonic()
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            if b" 429 " not in head.partition(b"\r\n")[0]:
                raise RuntimeError(f"not refused: {head!r}")
            self.seconds.append(time.monotonic() - started)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def completed(queue: HybridQueue) -> int:
    """Tasks completed so far."""
    (stats,) = queue.queue_stats("default")
    return stats.counts[TaskStatus.COMPLETED]


def measure(queue: HybridQueue, port: int, seconds: float, clients: int) -> Round:
    """One round."""
    before, started = completed(queue), time.monotonic()
    time.sleep(seconds)
    between, middle = completed(queue), time.monotonic()
    flood = Flood(port, clients)
    asyncio.run(flood.run(seconds))
    after, end = completed(queue), time.monotonic()
    return Round(
        (between - before) / (middle - started),
        (after - between) / (end - middle),
        len(flood.seconds) / (end - middle),
        max(flood.seconds),
    )


def prepare(queue: HybridQueue, seconds: float) -> None:
    """A queue that is full, and enough work for so long."""
    queue.configure(FULL, max_size=1)
    queue.pause(FULL)
    queue.put(Task(1, {"type": "work"}, queue=FULL))
    for _ in range(int(seconds * MOST_PER_SECOND / _BATCH) + 2):
        queue.enqueue([Task(1, {"type": "work"}) for _ in range(_BATCH)])


def resident_mib(pid: int) -> float | None:
    """What a process has in memory, where the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else None


def main() -> int:
    """Run it; 0 where enough of the rate was left."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--engine", choices=("sqlite", "redis"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clients", type=int, default=16)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "pace.py").write_text(HANDLERS)
        url = f"sqlite:///{folder}/queue.db"
        if chosen.engine == "redis":
            url = stack.enter_context(RedisServer(folder / "redis", appendonly="yes")).url
        queue = stack.enter_context(HybridQueue.from_url(url))
        prepare(queue, 2 * chosen.rounds * chosen.seconds + 5)
        options = ("--port", "0", "--workers", str(SLOTS), "--handlers", "pace", "--storage-url", url)
        program = stack.enter_context(Program(folder, "serve", *options))
        port = int(re.findall(r":(\d+)/docs", program.says("/docs"))[0])
        rounds = []
        for number in range(chosen.rounds):
            one = measure(queue, port, chosen.seconds, chosen.clients)
            rounds.append(one)
            memory = resident_mib(program.process.pid)
            print(
                f"round {number + 1}: {one.alone:.0f} tasks/s, flooded {one.flooded:.0f} ({one.share:.0%}); "
                f"{one.refused:.0f} refusals/s, the slowest {one.slowest * 1000:.0f} ms"
                + (f"; {memory:.0f} MiB" if memory else "")
            )
    share = statistics.median(one.share for one in rounds)
    print(f"median: {share:.0%} of the rate was left; wanted are {LEAST_SHARE:.0%}")
    return 0 if share >= LEAST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
