"""Roles, and which one each endpoint needs.

A request that is not in the table is refused, whoever sends it and whatever the application has at its address: an
endpoint that nobody gave a role is closed, not open.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from distributed_queue.api.options import PREFIX


class Role(str, Enum):
    """What a key is for. Each may also read; ``admin`` may do everything."""

    READ = "read"
    SUBMIT = "submit"
    WORK = "work"
    ADMIN = "admin"

    __str__ = str.__str__


PUBLIC: Final = None
"""In place of a role: everyone may, without a key."""

_READ, _SUBMIT, _ADMIN = Role.READ, Role.SUBMIT, Role.ADMIN

ACCESS: dict[tuple[str, str], Role | None] = {
    # What is the same on every server, and what probes ask before anyone has a key.
    ("GET", "/"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/docs/static/{name}"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/health"): PUBLIC,
    ("GET", f"{PREFIX}/health"): PUBLIC,
    # What tells of this server's tasks.
    ("GET", "/ready"): _READ,
    ("GET", f"{PREFIX}/ready"): _READ,
    ("GET", "/metrics"): _READ,
    ("GET", f"{PREFIX}/metrics"): _READ,
    ("GET", f"{PREFIX}/metrics/json"): _READ,
    ("GET", f"{PREFIX}/events"): _READ,
    ("GET", f"{PREFIX}/stats"): _READ,
    ("GET", f"{PREFIX}/tasks"): _READ,
    ("GET", f"{PREFIX}/tasks/{{task_id}}"): _READ,
    ("GET", f"{PREFIX}/dead-letters"): _READ,
    ("GET", f"{PREFIX}/queues"): _READ,
    ("GET", f"{PREFIX}/queues/{{name}}"): _READ,
    ("GET", f"{PREFIX}/scaler"): _READ,
    ("GET", f"{PREFIX}/workers"): _READ,
    ("GET", f"{PREFIX}/workers/{{worker_name}}"): _READ,
    # What programs do that use the queue.
    ("POST", f"{PREFIX}/tasks"): _SUBMIT,
    ("POST", f"{PREFIX}/tasks/batch"): _SUBMIT,
    ("POST", f"{PREFIX}/tasks/{{task_id}}/cancel"): _SUBMIT,
    ("POST", f"{PREFIX}/tasks/{{task_id}}/retry"): _SUBMIT,
    # What concerns everyone's tasks.
    ("POST", f"{PREFIX}/dead-letters/requeue"): _ADMIN,
    ("DELETE", f"{PREFIX}/dead-letters"): _ADMIN,
    ("DELETE", f"{PREFIX}/queue/clear"): _ADMIN,
    ("PATCH", f"{PREFIX}/queues/{{name}}"): _ADMIN,
    ("POST", f"{PREFIX}/queues/{{name}}/pause"): _ADMIN,
    ("POST", f"{PREFIX}/queues/{{name}}/resume"): _ADMIN,
    ("POST", f"{PREFIX}/workers"): _ADMIN,
    ("POST", f"{PREFIX}/workers/start"): _ADMIN,
    ("POST", f"{PREFIX}/workers/stop"): _ADMIN,
    ("DELETE", f"{PREFIX}/workers/{{worker_name}}"): _ADMIN,
    ("POST", f"{PREFIX}/workers/{{worker_name}}/pause"): _ADMIN,
    ("POST", f"{PREFIX}/workers/{{worker_name}}/resume"): _ADMIN,
    ("POST", f"{PREFIX}/workers/{{worker_name}}/inspect"): _ADMIN,
    ("POST", f"{PREFIX}/workers/{{worker_name}}/scale"): _ADMIN,
    # Whoever names a webhook is told of tasks, and an address may be a secret in itself.
    ("GET", f"{PREFIX}/webhooks"): _ADMIN,
    ("POST", f"{PREFIX}/webhooks"): _ADMIN,
    ("GET", f"{PREFIX}/webhooks/{{webhook_id}}"): _ADMIN,
    ("DELETE", f"{PREFIX}/webhooks/{{webhook_id}}"): _ADMIN,
    ("POST", f"{PREFIX}/webhooks/{{webhook_id}}/disable"): _ADMIN,
    ("POST", f"{PREFIX}/webhooks/{{webhook_id}}/enable"): _ADMIN,
    ("POST", f"{PREFIX}/webhooks/{{webhook_id}}/rotate"): _ADMIN,
    ("POST", f"{PREFIX}/webhooks/{{webhook_id}}/test"): _ADMIN,
}
"""Method and address of every endpoint, and the role that it needs. HEAD needs what GET needs."""


def grants(roles: Iterable[Role], needed: Role) -> bool:
    """Whether a key with these roles may do what needs ``needed``."""
    held = frozenset(roles)
    return Role.ADMIN in held or needed in held or (needed is Role.READ and bool(held))
