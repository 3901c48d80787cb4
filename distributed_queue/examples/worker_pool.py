"""Several workers in one process: each with its own size and queues, grown and shrunk while they run.

::

    python distributed_queue/examples/worker_pool.py
    python distributed_queue/examples/worker_pool.py --storage-url sqlite:///pool.db

What one will see: a worker kept for urgent tasks finishes them long before the bulk is done; a worker that is added
halfway shares the load; one that is removed finishes what it runs; and the pool sizes itself to the backlog.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # so that it runs in a clone that is not installed

from distributed_queue import HybridQueue, Task, WorkerConfig, WorkerPool

URGENT, BULK = "example-urgent", "example-bulk"


def resize(picture: int) -> str:
    """Pretend to work for a while."""
    time.sleep(0.02)
    return f"picture {picture} is small now"


def fill(queue: HybridQueue, name: str, count: int) -> list[Task]:
    """Submit so many tasks at once."""
    tasks = [Task(priority=100, payload={"type": "resize", "data": number}, queue=name) for number in range(count)]
    queue.put_many(tasks)
    return tasks


def show(pool: WorkerPool, title: str) -> None:
    """Print what the pool says of itself."""
    print(title)
    for name, stats in pool.get_stats()["workers"].items():
        print(f"  {name:<8} {stats['max_workers']:>2} slots, {stats['processed']:>3} tasks done")


def main() -> None:
    """Run a pool through a busy day, in two seconds."""
    parser = argparse.ArgumentParser(description="Managing a pool of workers.")
    parser.add_argument("--storage-url", default="memory://", help="such as sqlite:///pool.db or redis://localhost")
    url = parser.parse_args().storage_url

    with HybridQueue.from_url(url) as queue:
        pool = WorkerPool(queue)
        pool.register_handler("resize", resize)  # for all workers, present and future
        pool.add_worker(WorkerConfig(name="express", max_workers=2, queues=[URGENT]))
        pool.add_worker(WorkerConfig(name="bulk", max_workers=2, queues=[URGENT, BULK]))  # urgent ones first
        bulk, urgent = fill(queue, BULK, 100), fill(queue, URGENT, 10)

        started = time.monotonic()
        pool.start_all()
        for task in urgent:
            queue.wait(task.task_id, timeout=10)
        print(f"urgent tasks done after {time.monotonic() - started:.1f} s, {queue.size(BULK)} bulk tasks wait")

        pool.add_worker(WorkerConfig(name="helper", max_workers=4, queues=[BULK]))  # it starts at once
        queue.wait(bulk[-1].task_id, timeout=10)
        show(pool, f"bulk tasks done after {time.monotonic() - started:.1f} s")

        pool.remove_worker("helper")  # gracefully: what it runs is finished first
        pool.scale("bulk", 8)
        show(pool, "one worker removed, one scaled")

        fill(queue, BULK, 400)
        pool.autoscale(min=2, max=32, backlog_per_slot=10, interval=0.1)
        print("400 more tasks, with autoscaling")
        while waiting := queue.size(BULK):
            slots = sum(worker.config.max_workers for worker in pool.workers.values())
            print(f"  {waiting:>3} wait, {slots:>2} slots")
            time.sleep(0.1)
        pool.stop_all()


if __name__ == "__main__":
    main()
