"""A worker process that writes down what it does: ``python -m … URL FOLDER NAME LEASE_SECONDS WORK_SECONDS``."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.worker import Worker, WorkerConfig, current_task
from distributed_queue.testing.proof.recording import RecordingStorage
from distributed_queue.testing.proof.records import Effect, HistoryWriter

if TYPE_CHECKING:
    from distributed_queue.core.storage import Storage


def main(url: str, folder: str, name: str, lease_seconds: float, work_seconds: float) -> None:
    """Work until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    queue = HybridQueue.from_url(url)
    queue.storage = cast(
        "Storage", RecordingStorage(queue.storage, HistoryWriter(Path(folder) / f"{name}.jsonl"), name)
    )
    effects = HistoryWriter(Path(folder) / f"{name}-effects.jsonl")

    def handler(_: object) -> str:
        task = current_task()
        for step in ("start", "end"):
            effects.write(
                Effect(
                    process=name,
                    queue=task.queue,
                    id=task.task_id,
                    attempt=task.attempt,
                    step=step,
                    at=time.time(),
                )
            )
            if step == "start":
                time.sleep(work_seconds)
        return f"{task.task_id}:{task.attempt}"

    worker = Worker(queue, WorkerConfig(name=name, max_workers=8, lease_seconds=lease_seconds))
    worker.register_handler("default", handler)
    worker.start()
    stop.wait()
    worker.stop()
    queue.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
