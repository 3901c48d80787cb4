"""The list of tasks: search, pages, and what can be done to those that were chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from distributed_queue.core.lifecycle import LISTED_ORDER, TaskStatus
from distributed_queue.dashboard.desk import TaskKey
from distributed_queue.dashboard.gate import Permission
from distributed_queue.dashboard.search import Search, parse_search
from distributed_queue.dashboard.shell import dashboard_of, form_of, go, need, note, render
from distributed_queue.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from distributed_queue.core.task import Task

PAGE = 50
MAX_CHOSEN = 1000


class Tab(NamedTuple):
    """One state above the list."""

    name: str
    query: str
    number: int
    current: bool


async def show(request: Request) -> Response:
    """The list, or the task itself where the search is for an id that there is."""
    dashboard = dashboard_of(request)
    text = request.query_params.get("q", "")
    cursor = request.query_params.get("cursor")
    search, problem = Search(), ""
    try:
        search = parse_search(text)
    except InvalidInput as error:
        problem = str(error)
    tasks: list[Task] = []
    following, seen = None, None
    if search.id is not None:
        found = await dashboard.desk.run(dashboard.desk.find_id, search.id, search.queue)
        if found is not None and cursor is None:
            return go(request, f"/tasks/{found.task_id}?{urlencode({'queue': found.queue})}")
        problem = problem or f"There is no task {search.id!r:.250}. Finished tasks are kept for a limited time only."
    elif search.needs_look:
        tasks, seen, following = await dashboard.desk.run(
            dashboard.desk.look, search, dashboard.now(), cursor or None, PAGE
        )
    elif not problem:
        page = await dashboard.desk.run(
            dashboard.queue.find, search.queue, search.status, search.type, PAGE, cursor or None
        )
        tasks, following = page, page.cursor
    context: dict[str, Any] = {
        "tasks": tasks,
        "problem": problem,
        "search": text,
        "first": cursor is None,
        "seen": seen,
    }
    return render(
        request,
        "tasks.html",
        "Tasks",
        tabs=_tabs(request, search),
        next_page=urlencode({"q": text, "cursor": following}) if following else "",
        empty=not text and not cursor and not tasks,
        can_bulk=not search.is_all,
        **context,
    )


async def change(request: Request) -> Response:
    """Cancel, retry or delete the tasks that were chosen."""
    desk, form = dashboard_of(request).desk, form_of(request)
    keys = [TaskKey.read(text) for text in form.get("task", [])[:MAX_CHOSEN]]
    action = form.one("action")
    if action not in _ACTIONS:
        raise InvalidInput("The form does not say what to do.")
    needed, done = _ACTIONS[action]
    need(request, needed)
    note(request, action=action, task_ids=[key.id for key in keys[:20]], count=len(keys))
    if not keys:
        return go(request, form.one("back"), "Nothing was chosen. Tick the tasks first.", "warning")
    verbs: dict[str, Callable[[list[TaskKey]], int]] = {
        "retry": desk.requeue,
        "cancel": desk.cancel,
        "delete": desk.delete,
    }
    number = await desk.run(verbs[action], keys)
    desk.forget_dead_groups()
    await dashboard_of(request).sampler.fresh(0.0)
    rest = len(keys) - number
    others = f" {rest:,} could not be: their state does not allow it." if rest else ""
    return go(request, form.one("back"), f"{done} {number:,} of {len(keys):,} tasks.{others}", "done")


_ACTIONS = {
    "retry": (Permission.SUBMIT, "Retried"),
    "cancel": (Permission.SUBMIT, "Cancelled"),
    "delete": (Permission.ADMIN, "Deleted"),
}


def _tabs(request: Request, search: Search) -> list[Tab]:
    sample = dashboard_of(request).sampler.latest
    queues = [stats for stats in sample.queues if search.queue in {None, stats.queue}]
    counts = {state: sum(stats.listed(state) for stats in queues) for state in LISTED_ORDER}
    tabs = [Tab("all", search.text(status=None, id=None), sum(counts.values()), search.status is None)]
    for state in LISTED_ORDER:
        if state is not TaskStatus.BLOCKED or counts[state]:
            query = search.text(status=str(state), id=None)
            tabs.append(Tab(str(state), query, counts[state], search.status is state))
    return tabs
