"""Far more clients than a server allows: ``python -m distributed_queue.tests.fuzz.crowd --clients 10000``.

All ask for an event stream and keep their connection. Prints how many got what, how long the slowest answer took, and
whether tasks could be submitted meanwhile; 1 is returned where any client got no answer at all.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from collections import Counter
from contextlib import suppress

from distributed_queue.tests.surfaces.api_server import Api, serve

_ASK = b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n"
_AT_ONCE = 200
_ANSWER_SECONDS = 60.0


async def _client(port: int, gate: asyncio.Semaphore, kept: list[asyncio.StreamWriter]) -> tuple[str, float]:
    async with gate:
        began = time.perf_counter()
        with suppress(OSError, asyncio.TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            kept.append(writer)
            writer.write(_ASK)
            line = await asyncio.wait_for(reader.readline(), _ANSWER_SECONDS)
            return line[9:12].decode() or "closed", time.perf_counter() - began
        return "none", time.perf_counter() - began


async def _crowd(api: Api, clients: int) -> tuple[Counter[str], float, int]:
    gate = asyncio.Semaphore(_AT_ONCE)
    kept: list[asyncio.StreamWriter] = []
    asking = asyncio.gather(*(_client(api.port, gate, kept) for _ in range(clients)))
    submitted = 0
    while not asking.done():
        await asyncio.to_thread(api.submit, "x")
        submitted += 1
    answers = await asking
    for writer in kept:
        writer.close()
    return Counter(status for status, _ in answers), max(seconds for _, seconds in answers), submitted


def main() -> int:
    """Let the crowd in, and tell how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with serve() as api:
        statuses, slowest, submitted = asyncio.run(_crowd(api, options.clients))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told = ", ".join(f"{count:,} times {status}" for status, count in sorted(statuses.items()))
    print(
        f"{options.clients:,} clients: {told}; slowest answer {slowest:.1f} s; {submitted:,} tasks submitted meanwhile"
    )
    print(f"peak memory of server and clients together: {peak:,} MiB")
    return 1 if statuses["none"] or statuses["closed"] else 0


if __name__ == "__main__":
    sys.exit(main())
