"""What happens when a handler fails: retries, time limits, dead letters, and how to bring them back.

::

    python distributed_queue/examples/error_handling.py
    python distributed_queue/examples/error_handling.py --storage-url sqlite:///errors.db

What one will see: each failed attempt, as the error handler hears of it; a task that succeeds at its third attempt; one
that is stopped because it takes too long; four dead letters, one with its traceback; and two of them requeued, and
completed, after the mistake in their handler was mended.
"""

from __future__ import annotations

import argparse
import logging
import sys
import textwrap
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # so that it runs in a clone that is not installed

from distributed_queue import Backoff, HybridQueue, RetryPolicy, Task, Worker, WorkerConfig, current_task
from distributed_queue.errors import TaskFailed

QUEUE = "example-errors"

# The default is exponential: 2 s, 4 s, 8 s … This one is for people who watch.
QUICK = RetryPolicy(backoff=Backoff.LIST, delays=(0.1, 0.2), jitter=0)


def call_flaky_service(service: str) -> str:
    """Fail twice, then succeed, as services do that are just being restarted."""
    failures = current_task().retry_count
    if failures < 2:  # noqa: PLR2004 - the point of this example
        raise ConnectionError(f"{service} does not answer")
    return f"{service} answered after {failures} failures"


def send_invoice(address: str) -> str:
    """Fail for good: there is a mistake in here."""
    name, domain = address.split("(at)")
    return f"sent to {name} at {domain}"


def send_invoice_mended(address: str) -> str:
    """Do it right."""
    name, domain = address.split("@")
    return f"sent to {name} at {domain}"


def count_slowly(limit: int) -> int:
    """Take longer than the task's ``timeout``: ``TimeLimitExceeded`` is raised in here."""
    for _ in range(limit):
        time.sleep(0.01)
    return limit


def report(task: Task, error: BaseException) -> None:
    """Hear of each failed attempt; here, one would tell an error tracker."""
    print(f"  {task.type}, try {task.retry_count + 1} of {1 + task.max_retries}: {type(error).__name__}: {error}")


def submit(queue: HybridQueue) -> list[Task]:
    """Submit tasks that will fail, each in its own way."""
    tasks = [
        Task(priority=0, payload={"type": "flaky", "data": "the weather service"}, queue=QUEUE),
        Task(priority=1, payload={"type": "invoice", "data": "ada@example.org"}, queue=QUEUE, max_retries=1),
        Task(priority=1, payload={"type": "invoice", "data": "alan@example.org"}, queue=QUEUE, max_retries=0),
        Task(priority=2, payload={"type": "slow", "data": 1000}, queue=QUEUE, max_retries=0, timeout=0.3),
        Task(priority=3, payload={"type": "unheard-of", "data": None}, queue=QUEUE, max_retries=0),
    ]
    queue.put_many(tasks)
    return tasks


def main() -> None:
    """Let tasks fail, look at what became of them, mend the handler, and requeue."""
    parser = argparse.ArgumentParser(description="Retries, time limits and dead letters.")
    parser.add_argument("--storage-url", default="memory://", help="such as sqlite:///errors.db or redis://localhost")
    url = parser.parse_args().storage_url
    # The worker logs each failure too; here, the error handler tells of them.
    logging.getLogger("distributed_queue").setLevel(logging.CRITICAL)

    with HybridQueue.from_url(url) as queue:
        # One slot, so that what is printed comes in order.
        worker = Worker(queue, WorkerConfig(name="errors", max_workers=1, queues=[QUEUE], error_handler=report))
        worker.register_handler("flaky", call_flaky_service, retry=QUICK)
        worker.register_handler("invoice", send_invoice, retry=QUICK)
        worker.register_handler("slow", count_slowly)
        worker.start()

        print("failed attempts")
        finished = [queue.wait(task.task_id, timeout=10) for task in submit(queue)]
        print("what came of them")
        for task in finished:
            print(f"  {task.type:<10}  {task.status:<9}  {task.result or task.error}")
        try:
            queue.wait_result(finished[1].task_id)
        except TaskFailed as failed:
            print(f"whoever waits for a result gets\n  TaskFailed: {failed}")

        dead = queue.get_dead_letters(limit=100, queue=QUEUE)
        invoices = [task for task in dead if task.type == "invoice"]
        print(f"{len(dead)} dead letters; the latest invoice has failed here")
        print(textwrap.indent(invoices[0].traceback or "", "  "), end="")

        worker.register_handler("invoice", send_invoice_mended)
        print(f"mended, and {queue.requeue_dead(task.task_id for task in invoices)} requeued")
        for task in invoices:
            print(f"  {queue.wait_result(task.task_id, timeout=10)}")
        print(f"{queue.delete_dead(queue=QUEUE)} dead letters are left, and deleted")
        worker.stop()


if __name__ == "__main__":
    main()
