"""Submitting a task: a new one, or a copy of one that is changed first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from distributed_queue.core.task import DEFAULT_MAX_RETRIES, DEFAULT_PRIORITY, Task
from distributed_queue.dashboard.gate import Permission
from distributed_queue.dashboard.shell import dashboard_of, form_of, go, need, note, render
from distributed_queue.errors import InvalidInput, InvalidTask, QueueFull

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from distributed_queue.dashboard.shell import Form

_EXAMPLE = {"type": "simple", "data": "Hello World"}


async def show(request: Request) -> Response:
    """The form, with what the task named ``from`` has."""
    need(request, Permission.SUBMIT)
    dashboard = dashboard_of(request)
    origin = request.query_params.get("from")
    task = None
    if origin:
        task = await dashboard.desk.run(dashboard.desk.find_id, origin, request.query_params.get("queue") or None)
    task = task or Task(DEFAULT_PRIORITY, _EXAMPLE, queue=request.query_params.get("queue") or "default")
    fields = {
        "queue": task.queue,
        "priority": str(task.priority),
        "delay": "",
        "max_retries": str(task.max_retries),
        "timeout": "" if task.timeout is None else f"{task.timeout:g}",
        "payload": json.dumps(task.payload, ensure_ascii=False, indent=2),
    }
    return _form(request, fields, origin=origin or "")


async def submit(request: Request) -> Response:
    """Store the task; then show it, or the form again with what is wrong with it."""
    need(request, Permission.SUBMIT)
    dashboard, form = dashboard_of(request), form_of(request)
    fields = {name: form.one(name) for name in _FIELDS}
    try:
        task = _task(form)
        note(request, task_ids=[task.task_id], queue=task.queue)
        await dashboard.desk.run(dashboard.queue.enqueue, [task])
    except (InvalidInput, QueueFull) as error:
        return _form(request, fields, str(error), form.one("origin"), 400)
    return go(request, f"/tasks/{task.task_id}?queue={task.queue}", "Submitted as a new task.")


_FIELDS = ("queue", "priority", "delay", "max_retries", "timeout", "payload")


def _task(form: Form) -> Task:
    try:
        payload = json.loads(form.one("payload"))
    except (ValueError, RecursionError) as error:
        raise InvalidTask(f"The payload is not JSON: {error}") from error
    return Task(
        int(_number(form, "priority", DEFAULT_PRIORITY)),
        payload,
        queue=form.one("queue") or "default",
        delay=_number(form, "delay", None),
        max_retries=int(_number(form, "max_retries", DEFAULT_MAX_RETRIES)),
        timeout=_number(form, "timeout", None),
    )


def _number(form: Form, name: str, otherwise: float | None) -> Any:
    text = form.one(name)
    if not text:
        return otherwise
    try:
        return int(text) if name in {"priority", "max_retries"} else float(text)
    except ValueError:
        raise InvalidTask(f"{name} is {text!r:.50}; it is a number", field=name) from None


def _form(request: Request, fields: dict[str, str], problem: str = "", origin: str = "", status: int = 200) -> Response:
    title = "Edit and submit again" if origin else "Submit a task"
    return render(request, "submit.html", title, status, fields=fields, problem=problem, origin=origin)
