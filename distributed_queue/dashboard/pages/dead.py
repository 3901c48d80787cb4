"""Dead letters, by what killed them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.pace import FASTEST, SLOWEST
from distributed_queue.dashboard.fingerprints import in_common
from distributed_queue.dashboard.formats import duration
from distributed_queue.dashboard.gate import Permission
from distributed_queue.dashboard.shell import dashboard_of, form_of, go, need, note, render
from distributed_queue.errors import InvalidInput

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def show_all(request: Request) -> Response:
    """The groups."""
    dashboard = dashboard_of(request)
    graveyard = await dashboard.desk.run(dashboard.desk.dead_groups)
    # What was counted last is older than the groups.
    total = max(_total(request), graveyard.seen) if graveyard.more else graveyard.seen
    return render(request, "dead.html", "Dead letters", graveyard=graveyard, total=total)


async def show(request: Request) -> Response:
    """One group."""
    dashboard = dashboard_of(request)
    identifier = request.path_params["fingerprint"]
    graveyard = await dashboard.desk.run(dashboard.desk.dead_groups)
    group = next((each for each in graveyard.groups if each.fingerprint.id == identifier), None)
    if group is None:
        reason = "No dead letter has this fingerprint now."
        return render(
            request, "problem.html", "No such group", 404, reason=reason, advice="They were requeued or deleted."
        )
    tasks = await dashboard.desk.run(dashboard.desk.tasks, group.keys)
    return render(
        request,
        "dead_group.html",
        f"Dead: {group.fingerprint.kind}",
        group=group,
        tasks=tasks,
        common=in_common(tasks),
        graveyard=graveyard,
    )


async def change(request: Request) -> Response:
    """Requeue or delete a whole group."""
    dashboard, form = dashboard_of(request), form_of(request)
    action, identifier = form.one("action"), request.path_params["fingerprint"]
    note(request, action=action, fingerprint=identifier, rate=form.one("rate"))
    need(request, Permission.ADMIN)
    if action not in {"requeue", "delete"}:
        raise InvalidInput("The form does not say what to do.")
    desk, rate = dashboard.desk, _rate(form.one("rate"))
    if action == "delete":
        number = await desk.run_long(desk.delete_group, identifier)
    else:
        number = await desk.run_long(desk.requeue_group, identifier, rate)
    note(request, count=number)
    desk.forget_dead_groups()
    await dashboard.sampler.fresh(0.0)
    if number is None:
        return go(request, "/dead", "There are many: it goes on in the background.")
    if action == "delete":
        return go(request, "/dead", f"Deleted {number:,} dead letters.")
    pace = f", {rate:g} a second: the last one runs in {duration((number - 1) / rate)}" if rate and number > 1 else ""
    return go(request, "/dead", f"Requeued {number:,} dead letters{pace}.")


def _rate(text: str) -> float | None:
    """Tasks a second; None for all at once."""
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not SLOWEST <= rate <= FASTEST:
        raise InvalidInput(
            f"The rate is {text!r:.50}; it is a number of tasks a second, from {SLOWEST:g} to {FASTEST:,.0f}."
        )
    return rate


def _total(request: Request) -> int:
    return sum(stats.counts.get(TaskStatus.DEAD, 0) for stats in dashboard_of(request).sampler.latest.queues)
