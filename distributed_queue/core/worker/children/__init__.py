"""Child processes in which handlers run that need a processor, or a wall around them, of their own."""

from __future__ import annotations

from distributed_queue.core.worker.children.pool import Child, Children
from distributed_queue.core.worker.children.wire import RemoteTraceback

__all__ = ["Child", "Children", "RemoteTraceback"]
