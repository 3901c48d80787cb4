"""Where each page and each action is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from distributed_queue.dashboard import live
from distributed_queue.dashboard.pages import (
    bulk,
    charts,
    dead,
    journal,
    overview,
    queues,
    settings,
    sign_in,
    submit,
    task,
    tasks,
    workers,
)

if TYPE_CHECKING:
    from distributed_queue.dashboard.assets import Assets

STATIC = "/static/{name}"
_PAGES: dict[str, Any] = {
    "/": overview.show,
    "/tasks": tasks.show,
    "/tasks/{task_id}": task.show,
    "/bulk": bulk.show,
    "/submit": submit.show,
    "/queues": queues.show_all,
    "/queues/{name}": queues.show,
    "/workers": workers.show_all,
    "/worker": workers.show,
    "/dead": dead.show_all,
    "/dead/{fingerprint}": dead.show,
    "/charts": charts.show,
    "/journal": journal.show,
    "/settings": settings.show,
    "/sign-in": sign_in.show,
    "/live/events": live.stream_samples,
    "/live/points": live.give_points,
}
_ACTIONS: dict[str, Any] = {
    "/tasks": tasks.change,
    "/bulk": bulk.act,
    "/submit": submit.submit,
    "/queues/{name}": queues.change,
    "/worker": workers.steer,
    "/dead/{fingerprint}": dead.change,
    "/sign-in": sign_in.sign_in,
    "/sign-out": sign_in.sign_out,
}

ADDRESSES: tuple[tuple[str, str], ...] = (
    ("GET", STATIC),
    *(("GET", path) for path in _PAGES),
    *(("POST", path) for path in _ACTIONS),
)
"""Method and address of everything that the dashboard answers."""


def make_routes(assets: Assets) -> list[Route]:
    """All of it, as Starlette wants it."""
    return [
        Route(STATIC, assets.answer),
        *(Route(path, endpoint, methods=["GET"]) for path, endpoint in _PAGES.items()),
        *(Route(path, endpoint, methods=["POST"]) for path, endpoint in _ACTIONS.items()),
    ]
