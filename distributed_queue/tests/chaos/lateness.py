"""How late delayed tasks start on an idle worker: ``python -m distributed_queue.tests.chaos.lateness``."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.task import Task
from distributed_queue.core.worker import Worker, WorkerConfig, current_task
from distributed_queue.testing.servers import RedisServer


def lateness(url: str, tasks: int) -> list[float]:
    """Milliseconds from a task's time until its handler runs, for tasks that come one at a time; sorted."""
    late: list[float] = []
    done = threading.Event()

    def handler(due: float) -> None:
        late.append((time.time() - due) * 1000)
        assert current_task().attempt == 1
        if len(late) == tasks:
            done.set()

    with HybridQueue.from_url(url) as queue:
        worker = Worker(queue, WorkerConfig(queues=["default"]))
        worker.register_handler("default", handler)
        worker.start()
        start = time.time() + 1.0
        for number in range(tasks):
            due = round(start + number * 0.1 + (number * 37 % 50) / 1000, 3)
            queue.put(Task(1, due, execute_after=due))
        if not done.wait(60 + tasks):
            raise TimeoutError("not all of the tasks ran")
        worker.stop()
    return sorted(late)


def main() -> None:
    """Measure each engine and print median, p99 and extremes."""
    parser = argparse.ArgumentParser(description="Measure how late delayed tasks start on an idle worker.")
    parser.add_argument("--tasks", type=int, default=50)
    tasks = parser.parse_args().tasks
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(RedisServer(folder))
        for name, url in (("memory", "memory://"), ("sqlite", f"sqlite:///{folder}/queue.db"), ("redis", server.url)):
            late = lateness(url, tasks)
            print(
                f"{name}: median {statistics.median(late):.2f} ms, p99 {late[int(0.99 * len(late))]:.2f} ms, "
                f"earliest {late[0]:.2f} ms, latest {late[-1]:.2f} ms"
            )


if __name__ == "__main__":
    main()
