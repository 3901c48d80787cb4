"""The REST API: everything a queue can do, over HTTP."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed_queue.api.app import create_app
    from distributed_queue.api.connection import ConnectionLimits
    from distributed_queue.api.options import ApiOptions
    from distributed_queue.api.server import ApiServer, run_server

_HOMES = {
    "ApiOptions": "options",
    "ApiServer": "server",
    "ConnectionLimits": "connection",
    "create_app": "app",
    "run_server": "server",
}

__all__ = ["ApiOptions", "ApiServer", "ConnectionLimits", "create_app", "run_server"]


def __getattr__(name: str) -> object:
    # Imported when first asked for: the command line uses the documents, and does not pay for the framework.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
