"""What is in force: the storage and what it promises, who looks, and the program's settings."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from distributed_queue.dashboard.gate import Permission
from distributed_queue.dashboard.shell import dashboard_of, render, viewer_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def show(request: Request) -> Response:
    """The page. The program's settings are for administrators."""
    dashboard = dashboard_of(request)
    sample = await dashboard.sampler.fresh()
    viewer = viewer_of(request)
    return render(
        request,
        "settings.html",
        "Settings",
        health=sample.health,
        rows=dashboard.settings if viewer.may(Permission.ADMIN) else (),
        closed=dashboard.gate.closed,
        permissions=[str(permission) for permission in Permission if viewer.may(permission)],
        python=platform.python_version(),
        place=dashboard.queue.storage.url,
    )
