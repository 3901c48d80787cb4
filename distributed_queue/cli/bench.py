"""``dq bench``: how fast the user's own storage takes and works tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from distributed_queue.cli.command import Command
from distributed_queue.cli.exits import Conflict
from distributed_queue.cli.progress import progress
from distributed_queue.cli.session import Session
from distributed_queue.core.task import Task
from distributed_queue.core.worker import Worker, WorkerConfig

if TYPE_CHECKING:
    from distributed_queue.core.hybrid_queue import HybridQueue

QUEUE = "dq-bench"
"""Always the same one, so that no storage collects the names of scratch queues."""
BATCH = 100
_TYPE = "no-op"
_LOOK_SECONDS = 0.01
_ALONE = 100
"""Tasks of which each is sent when the one before has run: enough for a 99th percentile."""
_ALONE_LIMIT_SECONDS = 30.0
"""A handler that has not run by then never will: the storage has lost the task, or others have taken it."""


class Measurement(NamedTuple):
    """One figure. CPU time is that of this process, with all of its threads."""

    what: str
    tasks: int
    seconds: float
    cpu_seconds: float


class Latency(NamedTuple):
    """Seconds from enqueueing until the handler runs, of tasks that found a worker idle."""

    median: float
    p99: float


@click.command(
    cls=Command,
    examples=("dq bench", "dq bench --tasks 100000 --threads 20 --storage-url redis://localhost:6379/0 --json"),
)
@click.option("--tasks", type=click.IntRange(100), default=20_000, show_default=True, metavar="N", help="How many.")
@click.option("--threads", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="The worker's.")
@click.pass_obj
def bench(session: Session, tasks: int, threads: int) -> None:
    """Measure how fast your storage takes and works tasks.

    Enqueues tasks one by one (a tenth of them) and in batches of 100, runs a handler that does nothing for all of
    them, then sends a hundred more, each when the one before has run, to see how long a task is under way. It uses a
    queue of its own in the storage that you name, dq-bench, and removes what it made.
    """
    with session.queue() as queue:
        _refuse_company(queue)
        health = queue.health()
        queue.clear(QUEUE)
        queue.resume(QUEUE)
        try:
            measured = [
                _enqueue(queue, "enqueue one by one", tasks // 10, 1),
                _enqueue(queue, f"enqueue in batches of {BATCH}", tasks - tasks // 10, BATCH),
                _process(queue, tasks, threads),
            ]
            latency = _latency(queue, threads)
        finally:
            queue.clear(QUEUE)
    rows = [_figures(each) for each in measured]
    session.out.show(
        {
            "engine": health.engine,
            "version": health.version,
            "durability": health.durability,
            "results": rows,
            "latency": {"median_seconds": round(latency.median, 6), "p99_seconds": round(latency.p99, 6)},
        },
        lambda: session.out.table(
            ("WHAT", "TASKS", "SECONDS", "TASKS/S", "CPU µs/TASK"),
            (
                (
                    row["what"],
                    f"{row['tasks']:,}",
                    f"{row['seconds']:.2f}",
                    f"{row['tasks_per_second']:,.0f}",
                    f"{row['cpu_seconds_per_task'] * 1e6:.0f}",
                )
                for row in rows
            ),
        ),
    )
    if not session.as_json:
        milliseconds = f"{latency.median * 1000:.2f} ms, 99 % within {latency.p99 * 1000:.2f} ms"
        session.out.note(f"A task alone starts after {milliseconds}.")
        session.out.note(f"{health.engine} {health.version}; {health.durability}")


def _refuse_company(queue: HybridQueue) -> None:
    """Workers of other processes that take from all queues would take the tasks, and fail them."""
    for worker in queue.workers():
        if not worker.paused and (not worker.queues or QUEUE in worker.queues):
            raise Conflict(
                f"Worker {worker.name!r} takes from all queues and would take these tasks too. "
                "Pause it meanwhile: dq workers pause --all"
            )


def _enqueue(queue: HybridQueue, what: str, count: int, size: int) -> Measurement:
    with progress(what.capitalize(), count) as advance:

        def work() -> None:
            for start in range(0, count, size):
                batch = [Task(100, {"type": _TYPE}, queue=QUEUE) for _ in range(min(size, count - start))]
                queue.enqueue(batch)
                advance(len(batch))

        return _measure(what, count, work)


def _worker(queue: HybridQueue, threads: int, handler: Callable[[Any], None]) -> Worker:
    worker = Worker(queue, WorkerConfig(name="dq-bench", max_workers=threads, queues=(QUEUE,)))
    worker.register_handler(_TYPE, handler)
    return worker


def _latency(queue: HybridQueue, threads: int) -> Latency:
    arrived: SimpleQueue[float] = SimpleQueue()
    worker = _worker(queue, threads, lambda _data: arrived.put(time.perf_counter()))
    worker.start()
    try:
        found = sorted(_alone(queue, arrived) for _ in range(_ALONE))
    finally:
        worker.stop()
    return Latency(found[len(found) // 2], found[len(found) * 99 // 100 - 1])


def _alone(queue: HybridQueue, arrived: SimpleQueue[float]) -> float:
    sent = time.perf_counter()
    queue.enqueue([Task(100, {"type": _TYPE}, queue=QUEUE)])
    try:
        return arrived.get(timeout=_ALONE_LIMIT_SECONDS) - sent
    except Empty:
        raise Conflict(f"A task did not run within {_ALONE_LIMIT_SECONDS:g} s: does another worker take it?") from None


def _process(queue: HybridQueue, count: int, threads: int) -> Measurement:
    worker = _worker(queue, threads, lambda _data: None)
    with progress("Process", count) as advance:

        def work() -> None:
            pause = threading.Event()
            worker.start()
            done = 0
            while done < count:
                pause.wait(_LOOK_SECONDS)
                before, done = done, worker.get_stats()["processed"]
                advance(done - before)

        try:
            return _measure("process", count, work)
        finally:
            worker.stop()


def _measure(what: str, count: int, work: Callable[[], None]) -> Measurement:
    cpu, start = time.process_time(), time.perf_counter()
    work()
    return Measurement(what, count, time.perf_counter() - start, time.process_time() - cpu)


def _figures(measured: Measurement) -> dict[str, Any]:
    return {
        "what": measured.what,
        "tasks": measured.tasks,
        "seconds": round(measured.seconds, 6),
        "tasks_per_second": round(measured.tasks / measured.seconds, 1),
        "cpu_seconds_per_task": round(measured.cpu_seconds / measured.tasks, 9),
    }
