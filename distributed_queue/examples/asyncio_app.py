"""The queue in an asyncio program: coroutines submit and wait, ``async def`` handlers do the work.

::

    python distributed_queue/examples/asyncio_app.py
    python distributed_queue/examples/asyncio_app.py --storage-url sqlite:///app.db --visitors 2000

What one will see: five hundred coroutines that each submit a task and wait for its result, all served in a fraction of
a second. What they submit at the same time is stored in one step; their handlers run on one event loop, a hundred at a
time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # so that it runs in a clone that is not installed

from distributed_queue import AsyncQueue, Task, Worker, WorkerConfig

QUEUE = "example-asyncio"


async def look_up(city: str) -> str:
    """Do a task: wait for something elsewhere, as a call of a web service would."""
    await asyncio.sleep(0.05)
    return f"{city}: {len(city)} degrees"


async def visit(queue: AsyncQueue, number: int) -> str:
    """Serve one visitor: submit, do something else, await the result."""
    city = ("Accra", "Berlin", "Chicago", "Dhaka")[number % 4]
    task = Task(priority=100, payload={"type": "look-up", "data": city}, queue=QUEUE)
    await queue.put(task)
    return str(await queue.wait_result(task.task_id, timeout=30))


async def run(url: str, visitors: int) -> None:
    """Serve all visitors at once."""
    async with AsyncQueue.from_url(url) as queue:
        worker = Worker(queue.queue, WorkerConfig(name="asyncio", max_workers=100, queues=[QUEUE]))
        worker.register_handler("look-up", look_up)
        worker.start()

        started = time.monotonic()
        answers = await asyncio.gather(*(visit(queue, number) for number in range(visitors)))
        seconds = time.monotonic() - started
        print(f"{len(answers)} visitors served in {seconds:.2f} s; one after the other takes {0.05 * visitors:.0f} s")
        for answer in answers[:4]:
            print(f"  {answer}")
        await queue.run(worker.stop)


def main() -> None:
    """Read the options and start the event loop."""
    parser = argparse.ArgumentParser(description="A queue in an asyncio program.")
    parser.add_argument("--storage-url", default="memory://", help="such as sqlite:///app.db or redis://localhost")
    parser.add_argument("--visitors", type=int, default=500, help="coroutines that submit and wait (default 500)")
    options = parser.parse_args()
    asyncio.run(run(options.storage_url, options.visitors))


if __name__ == "__main__":
    main()
