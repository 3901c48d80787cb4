"""The web dashboard: everything that a queue does, to look at and to steer, in a browser.

An ASGI application of its own, beside the REST API. It knows no other face: the program that serves both mounts it, and
hands it what it needs of them (see ``gate.Gate``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed_queue.dashboard.dashboard import Dashboard
    from distributed_queue.dashboard.gate import Gate, KeyRow, OpenGate, Permission, Refusal, Viewer
    from distributed_queue.dashboard.routes import ADDRESSES
    from distributed_queue.dashboard.shell import SettingRow, WebhookRow

_HOMES = {
    "ADDRESSES": "routes",
    "Dashboard": "dashboard",
    "Gate": "gate",
    "KeyRow": "gate",
    "OpenGate": "gate",
    "Permission": "gate",
    "Refusal": "gate",
    "SettingRow": "shell",
    "Viewer": "gate",
    "WebhookRow": "shell",
}

__all__ = [
    "ADDRESSES",
    "Dashboard",
    "Gate",
    "KeyRow",
    "OpenGate",
    "Permission",
    "Refusal",
    "SettingRow",
    "Viewer",
    "WebhookRow",
]


def __getattr__(name: str) -> object:
    # Imported when first asked for, as the API is: the command line does not pay for templates.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
