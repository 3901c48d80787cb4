"""What is in force: the storage and what it promises, who looks, and the program's settings."""

from __future__ import annotations

import asyncio
import platform
from typing import TYPE_CHECKING

from distributed_queue.core.durability import Durability
from distributed_queue.dashboard.gate import Permission
from distributed_queue.dashboard.shell import dashboard_of, render, viewer_of
from distributed_queue.errors import DistributedQueueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from distributed_queue.core.storage import StorageHealth
    from distributed_queue.dashboard.dashboard import Dashboard
    from distributed_queue.dashboard.shell import WebhookRow


async def show(request: Request) -> Response:
    """The page. The program's settings are for administrators."""
    dashboard = dashboard_of(request)
    sample = await dashboard.sampler.fresh()
    viewer = viewer_of(request)
    is_admin = viewer.may(Permission.ADMIN)
    webhooks, trouble = await _webhooks(dashboard) if is_admin else (None, "")
    return render(
        request,
        "settings.html",
        "Settings",
        health=sample.health,
        remedies=_remedies(sample.health),
        rows=dashboard.settings if is_admin else (),
        closed=dashboard.gate.closed,
        keys=dashboard.gate.keys() if is_admin else (),
        webhooks=webhooks,
        webhooks_trouble=trouble,
        permissions=[str(permission) for permission in Permission if viewer.may(permission)],
        python=platform.python_version(),
        place=dashboard.queue.storage.url,
    )


async def _webhooks(dashboard: Dashboard) -> tuple[Sequence[WebhookRow] | None, str]:
    """The webhooks, None where this server sends none; and what is wrong with their file."""
    if dashboard.webhooks is None:
        return None, ""
    try:
        return await asyncio.to_thread(dashboard.webhooks), ""
    except DistributedQueueError as error:
        return (), str(error)


def _remedies(health: StorageHealth | None) -> list[tuple[str, str]]:
    """What would give more than there is."""
    if health is None:
        return []
    order = list(map(str, Durability))
    held = order.index(health.profile) if health.profile in order else -1
    return [(profile, remedy) for profile, remedy in health.remedies.items() if order.index(profile) > held]
