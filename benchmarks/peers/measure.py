"""What is measured of a peer in one round."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.figures import Cpu, Sample, percentile
from benchmarks.peers.sides import Client, Setting, Unmeasurable, Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.peers.environments import Environment
    from benchmarks.peers.servers import Server

BATCH = 100
ENQUEUE_SECONDS = 0.8
IDLE_TASKS = 80
STEADY_TASKS = 500
STEADY_PER_SECOND = 500
WARM_SHARE = 0.2
"""The share of the tasks that a worker does before the clock starts: while it starts, and gets into its stride."""
MICROSECONDS = 1e6


class Subject(NamedTuple):
    """What a round is about, and how much of everything: 1 for figures that are to be published."""

    environment: Environment
    server: Server
    scale: float

    @contextmanager
    def setting(self, *, results: bool = False) -> Iterator[Setting]:
        """An empty storage, and a folder of its own."""
        self.server.empty()
        with tempfile.TemporaryDirectory(prefix="peers-") as folder:
            yield Setting(self.environment, self.server.url, Path(folder), results)


def measure(subject: Subject) -> Iterator[Sample]:
    """All of it."""
    peer = subject.environment.peer
    yield from _enqueue(subject)
    if not peer.worker:
        return
    yield from _latency(subject)
    yield from _processed(subject, 1, "processed, 1 process")
    yield from _processed(subject, 2, "processed, 2 processes")
    if peer.keeps_results:
        yield from _processed(subject, 1, "processed, results kept", results=True)


def _enqueue(subject: Subject) -> Iterator[Sample]:
    with subject.setting() as setting, Client(setting) as client:
        client.ask("fill", BATCH)  # what is there once: scripts, tables, connections
        seconds = ENQUEUE_SECONDS * subject.scale
        before = subject.server.used_bytes()
        rate = _rate(subject, client, "enqueued, one by one", "singles", seconds)
        # The figure's own count is not kept: it is what the rate and the time say.
        count = rate.value * seconds
        yield rate
        yield Sample("bytes per queued task", (subject.server.used_bytes() - before) / count, "bytes")
        if client.batches:
            yield _rate(subject, client, f"enqueued, batches of {BATCH}", "batches", seconds, BATCH)


def _rate(subject: Subject, client: Client, figure: str, word: str, *numbers: float) -> Sample:
    before = subject.server.cpu_seconds()
    told = client.ask(word, *numbers)
    storage = subject.server.cpu_seconds() - before
    count = told["count"]
    cpu = Cpu(told["cpu"] / count * MICROSECONDS, None, storage / count * MICROSECONDS)
    return Sample(figure, count / told["seconds"], "tasks/s", cpu)


def _latency(subject: Subject) -> Iterator[Sample]:
    """The first task of a worker, then one task at a time, then many at a steady rate."""
    with subject.setting() as setting, Client(setting) as client:
        client.ask("fill", BATCH)
        with Workers(setting, 1) as workers:
            yield Sample("first task after start", workers.wait_for(1) - workers.started_at, "s")
            workers.wait_for(BATCH)
            workers.take_latencies()
            yield Sample("memory, idle worker", workers.memory_bytes() / 1e6, "MB")
            expected = BATCH
            plans = (
                ("latency, idle", "idle", [max(20, IDLE_TASKS * subject.scale)]),
                (f"latency at {STEADY_PER_SECOND}/s", "steady", [STEADY_TASKS * subject.scale, STEADY_PER_SECOND]),
            )
            for figure, word, numbers in plans:
                client.ask(word, *numbers)
                expected += int(numbers[0])
                workers.wait_for(expected)
                latencies = workers.take_latencies()
                for name, share in (("p50", 0.5), ("p99", 0.99)):
                    yield Sample(f"{figure}, {name}", percentile(latencies, share) * 1000, "ms")


def _processed(subject: Subject, count: int, figure: str, *, results: bool = False) -> Iterator[Sample]:
    """A full queue is there before the workers are; the clock starts when they are in their stride."""
    tasks = max(2 * BATCH, int(subject.environment.peer.tasks * subject.scale) // BATCH * BATCH)
    first = int(tasks * WARM_SHARE)
    with subject.setting(results=results) as setting:
        with Client(setting) as client:
            client.ask("fill", tasks)
        with Workers(setting, count) as workers:
            began = workers.wait_for(first)
            done_then = workers.count()
            worker, storage = workers.cpu_seconds(), subject.server.cpu_seconds()
            seconds = workers.wait_for(tasks) - began
            done = tasks - done_then
            if done <= 0:
                raise Unmeasurable(f"{tasks} tasks are too few to see how fast it is")
            cpu = Cpu(
                None,
                (workers.cpu_seconds() - worker) / done * MICROSECONDS,
                (subject.server.cpu_seconds() - storage) / done * MICROSECONDS,
            )
            yield Sample(figure, done / seconds, "tasks/s", cpu)
            if count == 1 and not results:
                yield Sample("memory, busy worker", workers.memory_bytes() / 1e6, "MB")
