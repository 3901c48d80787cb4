"""An application of FastAPI with the parts that are there for it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import httpx
import pytest
from fastapi import FastAPI

from distributed_queue import AsyncQueue, DistributedQ, WorkerConfig
from distributed_queue.errors import StorageUnavailable
from distributed_queue.integrations.fastapi import lifespan, provide, task_router
from distributed_queue.tests.steps import LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

queue = DistributedQ("memory://")


@queue.task
def double(number: int) -> int:
    return 2 * number


@queue.task
def secret() -> str:
    return "not for browsers"


@asynccontextmanager
async def opened(worker: WorkerConfig | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of an application that has started, and works tasks itself with ``worker``."""
    app = FastAPI(lifespan=lifespan(queue, worker))
    app.include_router(task_router(double))

    @app.get("/backlog")
    async def backlog(tasks: Annotated[AsyncQueue, provide(queue)]) -> int:
        return await tasks.size()

    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as browser:
        yield browser


async def test_a_task_is_worked_in_the_same_process_and_followed() -> None:
    async with opened(WorkerConfig(max_workers=1)) as browser:
        handle = await double.asubmit(21)
        assert await handle.aresult(LIMIT) == 42
        assert (await browser.get(f"/tasks/{handle.id}")).json() == {
            "id": handle.id, "status": "completed", "progress": None, "result": 42
        }  # fmt: skip
        assert (await browser.post(f"/tasks/{handle.id}/cancel")).status_code == 409


async def test_without_a_worker_tasks_wait_and_can_be_cancelled() -> None:
    async with opened() as browser:
        handle = await double.asubmit(21)
        assert (await browser.get("/backlog")).json() == 1
        assert (await browser.post(f"/tasks/{handle.id}/cancel")).json()["status"] == "cancelled"
        assert (await browser.get("/backlog")).json() == 0


async def test_tasks_of_other_functions_are_not_shown() -> None:
    async with opened() as browser:
        hidden = await secret.asubmit()
        for unknown in (hidden.id, "nonsense"):
            assert (await browser.get(f"/tasks/{unknown}")).status_code == 404
            assert (await browser.post(f"/tasks/{unknown}/cancel")).status_code == 404
        task = await hidden.atask()
        assert task is not None
        assert str(task.status) == "pending"


async def test_a_storage_that_is_away_is_noticed_at_the_start() -> None:
    app = FastAPI(lifespan=lifespan(DistributedQ("redis://localhost:1/0")))
    with pytest.raises(StorageUnavailable):
        async with app.router.lifespan_context(app):
            pass
