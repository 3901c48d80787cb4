"""The first use of a queue, by several threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from distributed_queue import HybridQueue, Task
from distributed_queue.core.storage import ClaimRequest


def test_a_task_is_found_at_once_though_a_worker_uses_its_new_queue_too(storage_url: str) -> None:
    with ThreadPoolExecutor(1) as worker:
        for number in range(30):
            name, begun = f"queue-{number}", threading.Event()
            with HybridQueue.from_url(storage_url) as queue:

                def claim(queue: HybridQueue = queue, name: str = name, begun: threading.Event = begun) -> None:
                    begun.set()
                    queue.storage.claim(ClaimRequest((name,), "w1", 0, 30.0))

                claiming = worker.submit(claim)
                task = Task(priority=1, payload=None, queue=name)
                begun.wait(10)
                queue.put(task)
                assert queue.get_task(task.task_id) is not None
                claiming.result(10)
