"""Tasks submitted over REST, next to FastAPI endpoints with the same models that do nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks import ENVIRONMENT
from benchmarks.figures import Cpu, Sample
from benchmarks.http_load import post, send
from benchmarks.load import PAYLOAD, measured, per_task
from benchmarks.processes import used_seconds
from distributed_queue.testing.servers import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

REQUESTS = 4_000
BATCHES = 40
BATCH = 1_000
CONNECTIONS = 16
START_SECONDS = 30.0
TASK = {"priority": 100, "payload": PAYLOAD}
EMPTY = ("raw: ", [sys.executable, "-m", "benchmarks.empty_api"])


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """One connection, many, and batches; the processor time is the server's, with that of the storage beside it."""
    ours = [sys.executable, "-m", "distributed_queue", "serve", "--workers", "0", "--log-level", "error"]
    ours += ["--storage-url", place.fresh(), "--port"]
    one, many = post("/api/v1/tasks", TASK), post("/api/v1/tasks/batch", {"tasks": [TASK] * BATCH})
    kinds = (
        ("REST, 1 connection", one, 1, scale.count(REQUESTS), 1),
        (f"REST, {CONNECTIONS} connections", one, CONNECTIONS, scale.count(REQUESTS), 1),
        (f"REST, batches of {BATCH:,}", many, 4, max(4, scale.count(BATCHES * BATCH) // BATCH), BATCH),
    )
    for prefix, command in (EMPTY, ("", ours)):
        with served(command) as (pid, port):
            send(port, one, 1, 100)
            for words, request, connections, count, size in kinds:
                before = used_seconds([pid])
                with measured(place) as cost:
                    send(port, request, connections, count)
                tasks = count * size
                server = per_task(used_seconds([pid]) - before, tasks)
                storage = per_task(cost.storage, tasks) if command is ours else None
                cpu = Cpu(per_task(cost.client, tasks), server, storage)
                reference = "" if prefix else f"raw: {words}"
                yield Sample(f"{prefix}{words}", tasks / cost.wall, "tasks/s", cpu, reference)


@contextmanager
def served(command: list[str]) -> Iterator[tuple[int, int]]:
    """A server's process and port."""
    port = free_port()
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, str(port)], stdout=quiet, stderr=quiet, env=ENVIRONMENT) as process:
        try:
            end = time.monotonic() + START_SECONDS
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the server did not start: {' '.join(command)}")
                time.sleep(0.02)
            yield process.pid, port
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
