"""Far more clients than a server allows: ``python -m distributed_queue.tests.fuzz.crowd --clients 10000``.

All ask ``dq serve``, in its own process, for an event stream, and keep their connection. Prints how many got what, how
long the slowest answer took, whether tasks could be submitted meanwhile, and the server's memory; 1 is returned where a
client got no answer, a refusal was no document with ``Retry-After``, or the server was not well afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx

from distributed_queue.tests.surfaces.programs import Program

_ASK = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
_AT_ONCE = 200
_ANSWER_SECONDS = 60.0
SERVED = "200"


class Crowd(NamedTuple):
    """What became of the clients."""

    answers: Counter[str]
    """How many got ``200``; a problem's code, for a refusal in good order; anything else."""
    slowest_seconds: float
    submitted: int
    """Tasks that were submitted meanwhile."""
    memory_mib: tuple[int, int, int]
    """Of the server before, at most, and afterwards."""
    streams_afterwards: int
    """How many of as many as are allowed could be opened once the crowd was gone."""


class _Client(NamedTuple):
    answer: str
    seconds: float


def crowd(clients: int, streams: int, connections: int) -> Crowd:
    """Let a crowd into a server of its own, and out again."""
    with tempfile.TemporaryDirectory() as home:
        limits = {"DQ_MAX_STREAMS": str(streams), "DQ_MAX_CONNECTIONS": str(connections)}
        arguments = ("serve", "--storage-url", "memory://", "--workers", "0", "--port", "0")
        with Program(Path(home), *arguments, **limits) as server:
            port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", server.says("http://127.0.0.1:"))[0])
            before, _ = _memory_mib(server.process.pid)
            answers, slowest, submitted = asyncio.run(_come(port, clients))
            afterwards, _, _ = asyncio.run(_come_when_well(port, streams))
            now, most = _memory_mib(server.process.pid)
    return Crowd(answers, slowest, submitted, (before, most, now), afterwards[SERVED])


async def _come_when_well(port: int, streams: int) -> tuple[Counter[str], float, int]:
    """Ask for as many streams as are allowed, until all are had."""
    until = time.monotonic() + _ANSWER_SECONDS
    while True:
        came = await _come(port, streams)
        if came[0][SERVED] == streams or time.monotonic() > until:
            return came


async def _come(port: int, clients: int) -> tuple[Counter[str], float, int]:
    gate = asyncio.Semaphore(_AT_ONCE)
    kept: list[asyncio.StreamWriter] = []
    asking = asyncio.gather(*(_client(port, gate, kept) for _ in range(clients)))
    submitted = 0
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False) as submitting:
        while not asking.done():
            with suppress(httpx.HTTPError):
                answer = await submitting.post("/tasks", json={"payload": 1}, timeout=_ANSWER_SECONDS)
                submitted += answer.is_success
    ended = await asking
    for writer in kept:
        writer.close()
    return Counter(each.answer for each in ended), max(each.seconds for each in ended), submitted


async def _client(port: int, gate: asyncio.Semaphore, kept: list[asyncio.StreamWriter]) -> _Client:
    async with gate:
        began = time.perf_counter()
        answer = "none"
        with suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            kept.append(writer)
            writer.write(_ASK)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _ANSWER_SECONDS)
            answer = await asyncio.wait_for(_read(reader, head.decode("latin-1").lower()), _ANSWER_SECONDS)
        return _Client(answer, time.perf_counter() - began)


async def _read(reader: asyncio.StreamReader, head: str) -> str:
    """What an answer is: see ``Crowd.answers``."""
    status = head[9:12]
    length = re.search(r"content-length: (\d+)", head)
    if status == SERVED or length is None or not re.search(r"retry-after: \d", head):
        return status if status == SERVED else f"{status} without advice"
    return str(json.loads(await reader.readexactly(int(length[1])))["code"])


def _memory_mib(pid: int) -> tuple[int, int]:
    """Resident memory of a process, now and at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, most = (int(re.findall(rf"{name}:\s+(\d+)", status)[0]) // 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


def main() -> int:
    """Let the crowd in, and tell how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=100, help="that the server allows")
    parser.add_argument("--connections", type=int, default=5000, help="that the server allows")
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    came = crowd(options.clients, options.streams, options.connections)
    told = ", ".join(f"{count:,} times {answer}" for answer, count in sorted(came.answers.items()))
    print(f"{options.clients:,} clients, up to {files:,} open files a process: {told}")
    print(f"slowest answer {came.slowest_seconds:.1f} s; {came.submitted:,} tasks submitted meanwhile")
    print("server's memory before, at most, afterwards: {:,}, {:,}, {:,} MiB".format(*came.memory_mib))
    print(f"streams had afterwards: {came.streams_afterwards:,} of {options.streams:,}")
    orderly = came.answers.keys() <= {SERVED, "too-many-streams", "too-many-connections"}
    return 0 if orderly and came.streams_afterwards == options.streams else 1


if __name__ == "__main__":
    sys.exit(main())
