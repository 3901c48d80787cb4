"""A queue, a worker, six tasks: the shortest way from a function to its result.

::

    python distributed_queue/examples/basic_queue.py
    python distributed_queue/examples/basic_queue.py --storage-url sqlite:///basic.db

What one will see: tasks run in the order of their priority, lower first; one waits for its time; one that is submitted
twice runs once; each result comes back to whoever asks for it; and a task can be taken and settled without a worker.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))  # so that it runs in a clone that is not installed

from distributed_queue import HybridQueue, Task, Worker, WorkerConfig

QUEUE = "example-basic"


def greet(name: str) -> str:
    """Do a task of type ``greet``: it gets the payload's ``data``, and what it returns is the task's result."""
    print(f"  running greet({name!r})")
    return f"Hello, {name}!"


def add(data: dict[str, Any]) -> int:
    """Do a task of type ``add``: its payload has no ``data``, so it gets the other keys."""
    print(f"  running add({data!r})")
    return int(data["a"] + data["b"])


def main() -> None:
    """Submit tasks, work them, and collect the results."""
    parser = argparse.ArgumentParser(description="Basic use of a queue.")
    parser.add_argument("--storage-url", default="memory://", help="such as sqlite:///basic.db or redis://localhost")
    url = parser.parse_args().storage_url

    with HybridQueue.from_url(url, queues=[QUEUE]) as queue:
        tasks = [
            Task(priority=20, payload={"type": "greet", "data": "last of all"}, queue=QUEUE),
            Task(priority=10, payload={"type": "greet", "data": "second"}, queue=QUEUE),
            Task(priority=10, payload={"type": "add", "a": 1, "b": 2}, queue=QUEUE),
            Task(priority=0, payload={"type": "greet", "data": "first"}, queue=QUEUE),
            Task(priority=0, payload={"type": "greet", "data": "one second later"}, queue=QUEUE, delay=1.0),
        ]
        queue.put_many(tasks)  # all of them are stored, or none
        queue.put(tasks[0])  # its id is known, so nothing happens: a submission can safely be repeated
        print(f"{queue.size(QUEUE)} tasks wait")

        # One slot, so that the order shows. By default, 10 handlers run at the same time.
        worker = Worker(queue, WorkerConfig(name="basic", max_workers=1, queues=[QUEUE]))
        worker.register_handler("greet", greet)
        worker.register_handler("add", add)
        started = time.monotonic()
        worker.start()
        results = [queue.wait_result(task.task_id, timeout=10) for task in tasks]
        worker.stop()

        print(f"done in {time.monotonic() - started:.1f} s")
        for task, result in zip(tasks, results, strict=True):
            print(f"  priority {task.priority:>2}  {task.type:<5}  {result}")

        print("and without a worker")
        queue.put(Task(priority=0, payload="no handler needed", queue=QUEUE))
        while (taken := queue.get(block=False)) is not None:
            queue.mark_completed(taken.task_id, result=taken.payload.upper())
            print(f"  {queue.wait_result(taken.task_id)}")


if __name__ == "__main__":
    main()
