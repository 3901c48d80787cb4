"""Puts the dashboard beside the API: at ``/`` of the same server, behind the same keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from distributed_queue.api.audit import note
from distributed_queue.api.auth.guard import CALLER, HEADER, Asked, Caller
from distributed_queue.api.auth.roles import Role, grants
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.registry import without_password
from distributed_queue.dashboard import Dashboard, KeyRow, Permission, Refusal, SettingRow, Viewer, WebhookRow
from distributed_queue.observability.deliveries import DELIVERED, FAILED
from distributed_queue.settings import describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

    from distributed_queue.api import ApiOptions
    from distributed_queue.api.auth.guard import Guard
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.worker import WorkerPool
    from distributed_queue.observability.deliveries import DeliveryTimes
    from distributed_queue.settings import Traced
    from distributed_queue.webhooks import Register

_HEADER = HEADER.lower().encode()
_MASK = "••••••"


class ApiGate:
    """Lets those in whom the API's own guard knows, counts their failures with the API's, and shares its audit log."""

    def __init__(self, guard: Guard, *, closed: bool, only_key: bool) -> None:
        self._guard = guard
        self._only_key = only_key
        self.closed = closed

    def admit(self, key: str, address: str) -> Viewer | Refusal:
        """Ask the guard, as if the key came with a request that changes something."""
        asked = Asked("POST", Role.READ, {_HEADER: key.encode("utf-8", "replace")}, address)
        answer = self._guard.identify(asked)
        if not isinstance(answer, Caller):
            return Refusal(answer.detail, answer.status_code)
        permissions = frozenset(each for each in Permission if grants(answer.roles, Role(each.value)))
        return Viewer(answer.name, tuple(map(str, answer.roles)), permissions, answer)

    def still_knows(self, viewer: Viewer) -> bool:
        """Ask the guard."""
        if not self.closed:
            return True
        return isinstance(viewer.token, Caller) and self._guard.still_knows(viewer.token)

    def keys(self) -> Sequence[KeyRow]:
        """The one of the settings, and those of the file."""
        now = SystemClock().now()
        only = [KeyRow("API_KEY", "", (str(Role.ADMIN),), "active")] if self._only_key else []
        scoped = [
            KeyRow(key.name, key.id, tuple(map(str, key.roles)), key.state(now), key.created_at, key.expires_at, used)
            for key, used in self._guard.scoped_keys()
        ]
        return [*only, *sorted(scoped, key=lambda row: (row.state != "active", row.name, row.id))]

    def record(self, request: Request, viewer: Viewer, facts: Mapping[str, Any]) -> None:
        """Let the API's log of changes tell who it was, and what else there is to tell."""
        if isinstance(viewer.token, Caller):
            request.scope[CALLER] = viewer.token
        note(request, **facts)


def add_dashboard(app: FastAPI, queue: HybridQueue, pool: WorkerPool | None, traced: Traced) -> Dashboard:
    """Mount a dashboard over ``queue``; the caller starts and closes it. The API has to know its addresses."""
    settings = traced.settings
    has_keys = settings.api_key is not None or settings.api_keys_file is not None
    gate = ApiGate(app.state.services.guard, closed=has_keys, only_key=settings.api_key is not None)
    options: ApiOptions = app.state.services.options
    webhooks = None if options.webhooks is None else partial(_webhooks, options.webhooks, options.deliveries)
    dashboard = Dashboard(queue, pool, gate, settings=_rows(traced), webhooks=webhooks)
    app.mount("/", dashboard.app)
    return dashboard


def _webhooks(register: Register, deliveries: DeliveryTimes | None) -> list[WebhookRow]:
    latest = {(webhook, outcome): at for webhook, outcome, at in deliveries.latest()} if deliveries else {}
    return [
        WebhookRow(
            each.id,
            each.url,
            each.events,
            each.queues,
            "" if each.enabled else each.disabled_because or "by hand",
            latest.get((each.id, DELIVERED), 0.0),
            latest.get((each.id, FAILED), 0.0),
        )
        for each in register.all()
    ]


def _rows(traced: Traced) -> list[SettingRow]:
    rows = []
    for each in describe():
        value = getattr(traced.settings, each.name)
        shown = "" if value is None or value == () else ", ".join(value) if isinstance(value, tuple) else str(value)
        if shown and each.name == "storage_url":
            shown = without_password(shown)
        elif shown and each.secret:
            shown = _MASK
        rows.append(SettingRow(each.name, each.variables[0], shown, traced.origins[each.name], each.doc))
    return rows
