"""What runs in a process of its own and is killed by SIGKILL: ``python -m … PROGRAM URL HISTORY NAME STEPS AT``.

Each program does a piece of work and ends; it can be run again where it died.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from distributed_queue.core.async_queue import AsyncQueue
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.registry import open_storage
from distributed_queue.core.task import Task
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.testing.crashpoints.dying import Death, DyingStorage, by_signal, dying_at_commits
from distributed_queue.testing.proof.recording import RecordingStorage
from distributed_queue.testing.proof.records import HistoryWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import Storage

LEASE_SECONDS = 30.0
_PATIENCE = 10.0
"""Seconds after which a program gives up waiting for work: another process may hold what there was."""
_WORKED = ("a", "b", "c", "d")


def work(queue: HybridQueue) -> None:
    """A worker that runs two tasks, is stopped while two more run, lets one finish and gives the rest back."""
    done, finish = threading.Semaphore(0), threading.Event()

    def handler(number: int) -> int:
        if number > 1:
            finish.wait(_PATIENCE)
        done.release()
        return number

    worker = Worker(queue, WorkerConfig(name="worker", max_workers=2, lease_seconds=LEASE_SECONDS))
    worker.register_handler("x", handler)
    worker.start()
    left = queue.size()
    for _ in range(min(2, left)):
        done.acquire(timeout=_PATIENCE)
    finish.set()
    worker.stop()


async def submit_together(queue: HybridQueue) -> None:
    """Coroutines of an asyncio program that submit at the same time, then take and complete."""
    tasks = AsyncQueue(queue)
    await asyncio.gather(*(tasks.put(Task(5, {"type": "x"}, task_id=f"async-{number}")) for number in range(5)))
    while (task := await tasks.get(block=False)) is not None:
        await tasks.mark_completed(task.task_id)
    await tasks.close()


async def post_with_key(queue: HybridQueue) -> None:
    """A client of the REST API that submits a task and a batch, each with a key."""
    import httpx  # noqa: PLC0415 - only this program needs it

    from distributed_queue.api import create_app  # noqa: PLC0415

    app = create_app(queue)
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://dq") as client:
        body = {"priority": 5, "payload": {"type": "x"}}
        for path, content in (("tasks", body), ("tasks/batch", {"tasks": [body, body]})):
            headers = {"Idempotency-Key": f'"{path}"'}
            answer = await client.post(f"/api/v1/{path}", json=content, headers=headers)
            answer.raise_for_status()


def _prepare_work(queue: HybridQueue) -> None:
    queue.put_many([Task(5, {"type": "x", "data": number}, task_id=each) for number, each in enumerate(_WORKED)])


PROGRAMS: dict[str, tuple[Callable[[HybridQueue], object], Callable[[HybridQueue], object], int]] = {
    "worker: run, stop, give back": (_prepare_work, work, len(_WORKED)),
    "asyncio: submit together, complete": (lambda _: None, lambda queue: asyncio.run(submit_together(queue)), 5),
    "REST: submit with a key": (lambda _: None, lambda queue: asyncio.run(post_with_key(queue)), 3),
}
"""Name to what prepares it, what it does, and how many tasks there are in the end."""


def run(program: str, url: str, history: str, name: str, death: Death, *, at_commits: bool) -> None:
    """Run a program whose storage is recorded, and that dies as ``death`` wants it."""
    opened = partial(_open, history=HistoryWriter(history), name=name, death=Death() if at_commits else death)
    watched = dying_at_commits(death) if at_commits else nullcontext()
    with watched, patch("distributed_queue.core.hybrid_queue.open_storage", opened):
        queue = HybridQueue.from_url(url, visibility_timeout=LEASE_SECONDS)
        PROGRAMS[program][1](queue)
        queue.close()


def _open(url: str, *_: Any, history: HistoryWriter, name: str, death: Death) -> Storage:
    dying = cast("Storage", DyingStorage(open_storage(url), death))
    return cast("Storage", RecordingStorage(dying, history, name))


if __name__ == "__main__":
    program_, url_, history_, name_, steps, at = sys.argv[1:]
    run(program_, url_, history_, name_, Death(int(at) or None, by_signal), at_commits=steps == "commits")
