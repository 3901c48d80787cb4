"""DistributedQ: ``python with_distributedq.py worker``."""

import signal
import sys
import threading

import board
import stage

from distributed_queue import HybridQueue, Task, Worker, WorkerConfig


class OurClient(stage.Client):
    """``put`` and ``put_many``."""

    async def open(self) -> None:
        self._queue = HybridQueue.from_url(stage.URL)

    async def one(self) -> None:
        self._queue.put(_task())

    async def timed(self, sent_at: float) -> None:
        self._queue.put(Task(priority=100, payload={"type": "timed", "data": sent_at}))

    async def many(self, count: int) -> None:
        self._queue.put_many([_task() for _ in range(count)])


def work() -> None:
    """Until it is told to end."""
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    with HybridQueue.from_url(stage.URL) as queue:
        worker = Worker(queue, WorkerConfig(name="peers"))
        worker.register_handler("noop", board.noop)
        worker.register_handler("timed", board.timed)
        worker.start()
        end.wait()
        worker.stop()


def _task() -> Task:
    return Task(priority=100, payload={"type": "noop", "data": stage.DATA})


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        work()
    else:
        stage.serve(OurClient())
