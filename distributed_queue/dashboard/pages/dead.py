"""Dead letters, by what killed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
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
    return render(request, "dead.html", "Dead letters", graveyard=graveyard, total=_total(request))


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
        request, "dead_group.html", f"Dead: {group.fingerprint.kind}", group=group, tasks=tasks, graveyard=graveyard
    )


async def change(request: Request) -> Response:
    """Requeue or delete a whole group."""
    need(request, Permission.ADMIN)
    dashboard, form = dashboard_of(request), form_of(request)
    action, identifier = form.one("action"), request.path_params["fingerprint"]
    if action not in {"requeue", "delete"}:
        raise InvalidInput("The form does not say what to do.")
    note(request, action=action, fingerprint=identifier)
    number = await dashboard.desk.run_long(dashboard.desk.change_group, identifier, action)
    dashboard.desk.forget_dead_groups()
    await dashboard.sampler.fresh(0.0)
    if number is None:
        return go(request, "/dead", "There are many: it goes on in the background.")
    done = "Requeued" if action == "requeue" else "Deleted"
    return go(request, "/dead", f"{done} {number:,} dead letters.")


def _total(request: Request) -> int:
    return sum(stats.counts.get(TaskStatus.DEAD, 0) for stats in dashboard_of(request).sampler.latest.queues)
