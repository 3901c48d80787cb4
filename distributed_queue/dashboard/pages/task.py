"""One task: what it is, what happened to it, what comes next, and what can be done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import REQUEUABLE, TaskStatus
from distributed_queue.dashboard import snippets, timeline
from distributed_queue.dashboard.shell import dashboard_of, render
from distributed_queue.dashboard.tree import make_tree
from distributed_queue.observability.attempts import failed_attempt, was_requeued

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_MAX_RAW = 64 << 10


async def show(request: Request) -> Response:
    """The page."""
    dashboard = dashboard_of(request)
    identifier = request.path_params["task_id"]
    queue = request.query_params.get("queue") or None
    detail = await dashboard.desk.run(dashboard.desk.detail, identifier, queue)
    if detail is None:
        advice = "It was deleted, or finished longer ago than its queue keeps what is finished."
        reason = f"No task {identifier:.250} is stored."
        return render(request, "problem.html", "No such task", 404, reason=reason, advice=advice)
    task = detail.task
    base = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
    raw = json.dumps(task.payload, ensure_ascii=False, indent=2)
    return render(
        request,
        "task.html",
        f"Task {identifier}",
        task=task,
        stored=detail.stored,
        steps=timeline.steps(detail),
        requeued=was_requeued(task),
        failed_attempt=failed_attempt(task),
        whats_next=timeline.whats_next(detail, dashboard.now()),
        payload=make_tree(task.payload),
        raw=raw if len(raw) <= _MAX_RAW else f"{raw[:_MAX_RAW]}\n… ({len(raw):,} characters)",
        result=make_tree(task.result) if task.result is not None else None,
        progress=make_tree(task.progress) if task.progress is not None else None,
        snippets={
            "curl": snippets.as_curl(task, base, key=dashboard.gate.closed),
            "Python": snippets.as_python(task),
            "Command line": snippets.as_command(task),
        },
        can_retry=task.status in REQUEUABLE,
        can_cancel=not task.status.finished,
        can_delete=task.status is not TaskStatus.PROCESSING,
    )
