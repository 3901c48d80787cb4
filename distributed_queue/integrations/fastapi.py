"""FastAPI: a life span, a dependency, and a router through which browsers follow the tasks of an application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from pydantic import BaseModel

from distributed_queue.core.lifecycle import TaskStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from distributed_queue.core.app import DistributedQ
    from distributed_queue.core.app.task_function import BaseTaskFunction
    from distributed_queue.core.task import Task
    from distributed_queue.core.worker import WorkerConfig


def lifespan(
    queue: DistributedQ, worker: WorkerConfig | None = None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """For ``FastAPI(lifespan=…)``: opens the storage before the first request, so that one that is away is noticed.

    With ``worker``, this process also works tasks, and drains when it stops: for small programs, and development.
    """

    @asynccontextmanager
    async def span(_: FastAPI) -> AsyncIterator[None]:
        opened = await queue.open_async()
        working = None if worker is None else queue.worker(worker)
        try:
            if working is not None:
                await opened.run(working.start)
            yield
        finally:
            if working is not None:
                await opened.run(working.stop)
            await queue.aclose()

    return span


def provide(queue: DistributedQ) -> Any:
    """The dependency that gives a path operation the ``AsyncQueue`` underneath, opened."""
    return Depends(queue.open_async)


class TaskState(BaseModel):
    """What is told of a task."""

    id: str
    status: TaskStatus
    progress: Any = None
    result: Any = None


def task_router(*functions: BaseTaskFunction[Any, Any], prefix: str = "/tasks") -> APIRouter:
    """A router with ``GET /tasks/{task_id}`` and ``POST /tasks/{task_id}/cancel``, for tasks of these functions only.

    Ids cannot be guessed, but whoever knows one sees the result: let ``include_router(…, dependencies=…)`` guard it
    where that is not enough. Errors are not told, since they may name what visitors should not see.
    """
    router = APIRouter(prefix=prefix, tags=["tasks"])
    by_name = {function.name: function for function in functions}
    queues = {function.app for function in functions}

    async def find(task_id: str) -> Task:
        for queue in queues:
            task = await (await queue.open_async()).get_task(task_id)
            if task is not None and task.type in by_name:
                return task
        raise HTTPException(404, "There is no such task")

    @router.get("/{task_id}")
    async def show(task_id: str) -> TaskState:
        task = await find(task_id)
        return TaskState(id=task.task_id, status=task.status, progress=task.progress, result=task.result)

    @router.post("/{task_id}/cancel", status_code=202)
    async def cancel(task_id: str) -> TaskState:
        task = await find(task_id)
        if not await by_name[task.type].handle(task_id).acancel():
            raise HTTPException(409, "The task is finished")
        return await show(task_id)

    return router
