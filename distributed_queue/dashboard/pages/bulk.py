"""Retrying, cancelling or deleting all tasks that fit a search: how many there are, then the doing, step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from distributed_queue.dashboard.bulk import MOST_COUNTED, STATES, Bulk, Count, Step, count, take_step
from distributed_queue.dashboard.gate import Permission
from distributed_queue.dashboard.search import parse_search
from distributed_queue.dashboard.shell import dashboard_of, form_of, need, note, render
from distributed_queue.errors import InvalidInput

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_DONE = {"retry": "Retried", "cancel": "Cancelled", "delete": "Deleted"}


async def show(request: Request) -> Response:
    """What it would do; nothing is changed."""
    need(request, Permission.ADMIN)
    dashboard, asked = dashboard_of(request), request.query_params
    bulk = _bulk(asked.get("action", ""), asked.get("q", ""), dashboard.now())
    sample = await dashboard.sampler.fresh(0.0)
    found = await dashboard.desk.run(count, dashboard.desk, bulk, sample.queues)
    return _page(request, bulk, found=found)


async def act(request: Request) -> Response:
    """One step of it. The page that follows has a form for the next one, which scripts send at once."""
    dashboard, form = dashboard_of(request), form_of(request)
    note(request, action=form.one("action"), search=form.one("q"), until=form.one("until"))
    need(request, Permission.ADMIN)
    bulk = _bulk(form.one("action"), form.one("q"), _number(form.one("until")))
    step = await dashboard.desk.run_long(take_step, dashboard.desk, bulk, form.one("cursor") or None)
    if step is None:
        raise InvalidInput("The storage is slow: this step goes on in the background. Look again, then begin anew.")
    note(request, count=step.changed)
    dashboard.desk.forget_dead_groups()
    await dashboard.sampler.fresh(0.0)
    return _page(request, bulk, step=step, total=int(_number(form.one("total") or "0")) + step.changed)


def words_of(found: Count) -> str:
    """A count as a person says it."""
    if found.number > MOST_COUNTED:
        return f"more than {MOST_COUNTED:,} tasks"
    noun = "task" if found.number == 1 else "tasks"
    return f"at least {found.number:,} {noun}" if found.least else f"{found.number:,} {noun}"


def _page(
    request: Request, bulk: Bulk, *, found: Count | None = None, step: Step | None = None, total: int = 0
) -> Response:
    return render(
        request,
        "bulk.html",
        f"{bulk.action.capitalize()} all that fit",
        bulk=bulk,
        search=bulk.search.text(),
        found=found,
        words=words_of(found) if found else "",
        possible=", ".join(map(str, STATES[bulk.action])),
        step=step,
        total=total,
        done=_DONE[bulk.action],
    )


def _bulk(action: str, query: str, until: float) -> Bulk:
    if action not in STATES:
        raise InvalidInput("The form does not say what to do.")
    search = parse_search(query)
    if search.is_all or search.id is not None:
        raise InvalidInput("Say which tasks are meant, with a qualifier: queue: type: status: error: created> created<")
    return Bulk(action, search, until)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput("The form was changed on its way: a number is missing.")
    return number
