"""Queues: how deep, how fast, within which limits; pause, resume, clear and set limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core.lifecycle import LISTED_ORDER
from distributed_queue.core.storage import check_queue_name
from distributed_queue.dashboard.gate import Permission
from distributed_queue.dashboard.shell import dashboard_of, form_of, go, need, note, render
from distributed_queue.errors import ConfigurationError, InvalidInput
from distributed_queue.observability.figures import by_type
from distributed_queue.observability.rates import Percentiles, Rate

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from distributed_queue.core.storage import QueueStats
    from distributed_queue.dashboard.shell import Form
    from distributed_queue.observability.sampler import Sample

LIMITS: dict[str, tuple[str, type[int | float], bool]] = {
    "max_size": ("Tasks that may wait", int, True),
    "rate_limit": ("Tasks started per second", float, True),
    "rate_burst": ("Started at once after a pause", int, True),
    "concurrency": ("Tasks that run at the same time", int, True),
    "max_crashes": ("Crashes that make a task dead", int, False),
    "retention_seconds": ("Seconds to keep what is finished", float, False),
    "retention_count": ("Finished tasks to keep at most", int, False),
}
"""Settings that the page offers: what they mean, their type, and whether empty means no limit."""


async def show_all(request: Request) -> Response:
    """The list."""
    sample = await dashboard_of(request).sampler.fresh()
    rows = [
        (
            stats,
            sample.rates.queues.get(stats.queue, Rate()),
            drain_seconds(stats, sample.rates.queues.get(stats.queue)),
        )
        for stats in sample.queues
    ]
    return render(request, "queues.html", "Queues", rows=rows)


async def show(request: Request) -> Response:
    """One queue."""
    dashboard = dashboard_of(request)
    name = check_queue_name(request.path_params["name"])
    sample = await dashboard.sampler.fresh()
    stats = _stats_in(sample, name)
    if stats is None:
        sample = await dashboard.sampler.fresh(0.0)  # it may have been made since
        stats = _stats_in(sample, name)
    if stats is None:
        reason = f"No task was ever submitted to a queue {name}."
        return render(
            request, "problem.html", "No such queue", 404, reason=reason, advice="It is made by its first task."
        )
    rate = sample.rates.queues.get(name, Rate())
    figures = by_type(stats.counters)
    types = [
        (
            task_type,
            sample.rates.types.get((name, task_type), Rate()),
            Percentiles.of(each.wait),
            Percentiles.of(each.duration),
            each,
        )
        for task_type, each in figures.items()
        if task_type
    ]
    return render(
        request,
        "queue.html",
        f"Queue {name}",
        stats=stats,
        r=rate,
        drain=drain_seconds(stats, rate),
        states=[str(state) for state in LISTED_ORDER],
        types=types,
        limits=[
            (field, words, getattr(stats.config, field), optional) for field, (words, _, optional) in LIMITS.items()
        ],
        workers=[worker for worker in sample.workers if not worker.queues or name in worker.queues],
    )


def _stats_in(sample: Sample, name: str) -> QueueStats | None:
    return next((each for each in sample.queues if each.queue == name), None)


async def change(request: Request) -> Response:
    """Pause, resume, clear, or set limits."""
    need(request, Permission.ADMIN)
    dashboard, form = dashboard_of(request), form_of(request)
    name = check_queue_name(request.path_params["name"])
    action = form.one("action")
    note(request, action=action)
    done = await dashboard.desk.run(_act, dashboard.queue, name, action, form)
    dashboard.desk.forget_dead_groups()
    await dashboard.sampler.fresh(0.0)
    return go(request, f"/queues/{name}", done)


def drain_seconds(stats: QueueStats, rate: Rate | None) -> float | None:
    """Until nothing waits, if it goes on as in the last minute; None where it does not shrink."""
    if rate is None or not stats.depth:
        return None
    shrinks = rate.completed - rate.enqueued
    return stats.depth / shrinks if shrinks > 0 else None


def _act(queue: Any, name: str, action: str, form: Form) -> str:
    if action == "pause":
        queue.pause(name)
        return "Paused. What runs goes on; nothing more is started."
    if action == "resume":
        queue.resume(name)
        return "Resumed."
    if action == "clear":
        if form.one("confirm") != name:
            raise InvalidInput(f"To clear the queue, type its name, {name}. Nothing was cleared.")
        return f"Cleared: {queue.clear(name):,} tasks are gone."
    if action == "limits":
        queue.configure(name, **_limits(form))
        return "The limits are set, for all processes."
    raise InvalidInput("The form does not say what to do.")


def _limits(form: Form) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for field, (_, kind, optional) in LIMITS.items():
        text = form.one(field)
        if not text and not optional:
            raise ConfigurationError(f"{field} needs a number")
        try:
            changes[field] = kind(text) if text else None
        except ValueError:
            raise ConfigurationError(f"{field} is {text!r:.50}; it is a number") from None
    return changes
