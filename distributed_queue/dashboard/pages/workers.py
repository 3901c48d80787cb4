"""Workers: what they do, how they are, and steering them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from distributed_queue.core.storage import Command
from distributed_queue.dashboard.gate import Permission
from distributed_queue.dashboard.shell import dashboard_of, form_of, go, need, note, render
from distributed_queue.errors import InvalidInput
from distributed_queue.observability.problems import QUIET_SECONDS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from distributed_queue.core.storage import WorkerInfo

_DONE = {
    "pause": "takes nothing more for now",
    "resume": "takes tasks again",
    "stop": "finishes what runs, then stops",
    "scale": "changes its slots",
    "inspect": "looks where its handlers are",
}
_MAX_SLOTS = 10_000


async def show_all(request: Request) -> Response:
    """The list."""
    sample = await dashboard_of(request).sampler.fresh()
    workers = sorted(sample.workers, key=lambda worker: (worker.beat_at > sample.time - QUIET_SECONDS, worker.name))
    return render(request, "workers.html", "Workers", workers=workers, quiet=QUIET_SECONDS)


async def show(request: Request) -> Response:
    """One worker, and what it runs."""
    dashboard = dashboard_of(request)
    worker = _find(await dashboard.sampler.fresh(), request.query_params.get("id", ""))
    if worker is None:
        advice = "It has stopped, or has not reported for 30 s. Its tasks come back when their leases end."
        return render(
            request, "problem.html", "No such worker", 404, reason="No live worker has this id.", advice=advice
        )
    tasks = await dashboard.desk.run(dashboard.desk.running_on, worker.id)
    stacks = {(stack.queue, stack.task_id, stack.attempt): stack for stack in worker.stacks}
    return render(
        request,
        "worker.html",
        f"Worker {worker.name}",
        worker=worker,
        tasks=tasks,
        stacks=stacks,
        stuck=[stack for stack in worker.stacks if stack.stuck],
        quiet=QUIET_SECONDS,
    )


async def steer(request: Request) -> Response:
    """Pause, resume, scale or stop one, or look into it."""
    need(request, Permission.ADMIN)
    dashboard, form = dashboard_of(request), form_of(request)
    worker = _find(dashboard.sampler.latest, form.one("id"))
    action = form.one("action")
    if worker is None:
        return go(request, "/workers", "That worker is gone already.", "warning")
    note(request, action=action, worker=worker.name)
    await dashboard.desk.run(dashboard.desk.steer, worker.id, _command(action, form.one("slots")))
    text = f"Worker {worker.name} {_DONE[action]}. It shows with its next report."
    return go(request, f"/worker?id={quote(worker.id)}" if action == "inspect" else "/workers", text)


def _command(action: str, slots: str) -> Command:
    if action == "scale":
        if not slots.isascii() or not slots.isdigit() or not 1 <= int(slots) <= _MAX_SLOTS:
            raise InvalidInput(f"Slots are a whole number from 1 to {_MAX_SLOTS:,}.")
        return Command(action="scale", max_workers=int(slots))
    if action == "inspect":
        return Command(action="inspect")
    if action == "pause":
        return Command(action="pause")
    if action == "resume":
        return Command(action="resume")
    if action == "stop":
        return Command(action="stop")
    raise InvalidInput("The form does not say what to do.")


def _find(sample: object, identifier: str) -> WorkerInfo | None:
    return next((worker for worker in getattr(sample, "workers", ()) if worker.id == identifier), None)
