"""Tasks: submit, look, list, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from distributed_queue.api.audit import MAX_IDS, naming, note
from distributed_queue.api.documents import task_document
from distributed_queue.api.headers import trace_context
from distributed_queue.api.idempotency import HEADER, MAX_CHARACTERS, PATTERN, derived_id, read_key
from distributed_queue.api.models.tasks import BatchIn, BatchOut, PageOut, TaskIn, TaskOut
from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.problems import ApiProblem, fault
from distributed_queue.api.routes import DirectRoute, JsonRoute
from distributed_queue.api.services import Provided, Services, json_response, services_of
from distributed_queue.api.submission import submit_batch, submit_once
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.hybrid_queue import TaskPage
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import Task
from distributed_queue.errors import ResultTimeout, TaskNotFound

router = APIRouter(prefix=PREFIX, tags=["tasks"], route_class=JsonRoute)
submitting = APIRouter(prefix=PREFIX, tags=["tasks"], route_class=DirectRoute)

_KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Makes a repeated request harmless: it gets the task of the first one.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS, "pattern": PATTERN},
    "example": '"7d5f6b1e-order-1234"',
}
_MANY = 200
"""From so many on, tasks are made in a thread, so that other requests need not wait."""
_REPLAYED = "Idempotency-Replayed"
_now = SystemClock().now

TaskId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,200}$", description="The task's id.")]
QueueFilter = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,100}$", description="Only of this queue.")]
Cursor = Annotated[str | None, Query(max_length=4096, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most tasks of the page.")]


@submitting.post(
    "/tasks",
    status_code=201,
    response_model=TaskOut,
    operation_id="submit_task",
    responses={
        200: {"model": TaskOut, "description": "The queue has this task already."},
        **problems("task-conflict", "queue-full"),
    },
    openapi_extra={"parameters": [_KEY_PARAMETER]},
)
async def submit_task(request: Request, body: TaskIn) -> Response:
    """Submit a task. Once this answered 201 the task is run at least once.

    Times of the answer are this server's; those of the storage, which count, are in `GET /tasks/{task_id}`.
    """
    services = services_of(request)
    key = read_key(request.headers.get(HEADER))
    if key is None and body.task_id is None:
        task = body.task()
        task.headers = trace_context(request)
        note(request, queue=task.queue, **naming([task.task_id]))
        await services.queue.enqueue((task,))
        return _created(request, task)
    derived = None if key is None else derived_id(request.method, request.url.path, key)
    note(request, queue=body.queue, **naming([str(body.task_id or derived)]))
    task = body.task(derived)
    task.headers = trace_context(request)
    submitted = await submit_once(services.queue, task, keyed=body.task_id is None)
    if submitted.new:
        return _created(request, submitted.task)
    headers = {"Location": _address(request, submitted.task), **({_REPLAYED: "true"} if key is not None else {})}
    return json_response(task_document(submitted.task, history=True), 200, headers)


@submitting.post(
    "/tasks/batch",
    status_code=201,
    response_model=BatchOut,
    operation_id="submit_batch",
    responses={
        200: {"model": BatchOut, "description": "The queue has all of these tasks already."},
        **problems("task-conflict", "queue-full"),
    },
    openapi_extra={"parameters": [_KEY_PARAMETER]},
)
async def submit_tasks(request: Request, body: BatchIn) -> Response:
    """Submit up to 10,000 tasks: all are stored in one step, or none. Far faster than one by one."""
    services = services_of(request)
    most = services.options.max_batch_tasks
    if len(body.tasks) > most:
        words = f"a batch has up to {most:,} tasks, and this one {len(body.tasks):,}"
        raise ApiProblem("invalid-request", words, errors=[fault(("body", "tasks"), words, "too_long")])
    key = read_key(request.headers.get(HEADER))
    make = partial(_tasks, body, None if key is None else partial(derived_id, request.method, request.url.path, key))
    tasks = make() if len(body.tasks) < _MANY else await services.queue.run(make)
    context = trace_context(request)
    if context is not None:
        for task in tasks:
            task.headers = context
    named = [number for number, each in enumerate(body.tasks) if key is not None or each.task_id is not None]
    keyed = {number for number in named if body.tasks[number].task_id is None}
    note(request, queues=sorted({task.queue for task in tasks})[:MAX_IDS], **naming([task.task_id for task in tasks]))
    new = await submit_batch(services.queue, tasks, named=named, keyed=keyed)
    document = {
        "items": [{"task_id": task.task_id, "new": is_new} for task, is_new in zip(tasks, new, strict=True)],
        "count": len(tasks),
        "new_count": sum(new),
    }
    headers = {_REPLAYED: "true"} if key is not None and not any(new) else None
    return json_response(document, 201 if any(new) else 200, headers)


@router.get("/tasks", response_model=PageOut, operation_id="list_tasks", responses=problems("invalid-cursor"))
async def list_tasks(
    request: Request,
    services: Provided,
    queue: QueueFilter = None,
    status: Annotated[TaskStatus | None, Query(description="Only in this state.")] = None,
    type: Annotated[str | None, Query(max_length=200, description="Only of this type.")] = None,  # noqa: A002
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List tasks, a page at a time: by queue, then what runs, what waits, what ended."""
    return listing(request, await services.queue.find(queue, status, type, limit, cursor))


@router.get("/tasks/{task_id}", response_model=TaskOut, operation_id="get_task", responses=problems("task-not-found"))
async def get_task(
    services: Provided,
    task_id: TaskId,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Hold the answer until the task is finished, up to so many seconds.")
    ] = 0.0,
    traceback: Annotated[
        bool, Query(description="With the ends of the tracebacks: the latest failure's, and each attempt's.")
    ] = False,
) -> Response:
    """The task as it is now, or once it is finished."""
    seconds = min(wait, services.options.max_wait_seconds)
    task = await _finished(services, task_id, seconds) if seconds else None
    task = task or await services.queue.get_task(task_id)
    if task is None:
        raise TaskNotFound(task_id)
    return json_response(task_document(task, traceback=traceback, history=True))


@router.post(
    "/tasks/{task_id}/cancel",
    response_model=TaskOut,
    operation_id="cancel_task",
    responses=problems("task-not-found", "task-conflict"),
)
async def cancel_task(services: Provided, task_id: TaskId) -> Response:
    """Cancel a task that waits, or ask a running one to stop (`cancel_requested`)."""
    return await _changed(services, task_id, await services.queue.cancel(task_id), "cancelled")


@router.post(
    "/tasks/{task_id}/retry",
    response_model=TaskOut,
    operation_id="retry_task",
    responses=problems("task-not-found", "task-conflict"),
)
async def retry_task(services: Provided, task_id: TaskId) -> Response:
    """Run a dead, cancelled, expired, retrying or scheduled task now, its failures forgotten."""
    return await _changed(services, task_id, await services.queue.requeue(task_id), "retried")


def listing(request: Request, page: TaskPage) -> Response:
    """One page, with a link to the next."""
    document = {"items": [task_document(task) for task in page], "next_cursor": page.cursor}
    if page.cursor is None:
        return json_response(document)
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    link = f"<{request.url.path}?{urlencode([*query, ('cursor', page.cursor)])}>"
    return json_response(document, headers={"Link": f'{link}; rel="next"'})


async def _finished(services: Services, task_id: str, seconds: float) -> Task | None:
    """The task once it is finished; None when the time is over or the server shuts down."""
    try:
        return await services.unless_closing(services.queue.wait(task_id, seconds))
    except ResultTimeout:
        return None


async def _changed(services: Services, task_id: str, done: bool, word: str) -> Response:
    task = await services.queue.get_task(task_id)
    if task is None:
        raise TaskNotFound(task_id)
    if not done:
        state = str(task.status)
        raise ApiProblem(
            "task-conflict", f"Task {task_id!r} is {state}, so it cannot be {word}.", task_id=task_id, task_status=state
        )
    return json_response(task_document(task, history=True))


def _tasks(body: BatchIn, derive: Callable[[int], str] | None) -> list[Task]:
    return [each.task(None if derive is None else derive(number)) for number, each in enumerate(body.tasks)]


def _created(request: Request, task: Task) -> Response:
    now = _now()
    due = max(task.execute_after or 0.0, now + (task.delay or 0.0))
    task.created_at = now
    task.execute_after = due if due > now else None
    task.status = TaskStatus.SCHEDULED if due > now else TaskStatus.PENDING
    return json_response(task_document(task, history=True), 201, {"Location": _address(request, task)})


def _address(request: Request, task: Task) -> Any:
    return f"{request.scope.get('root_path', '')}{PREFIX}/tasks/{task.task_id}"
