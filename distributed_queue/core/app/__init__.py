"""Typed task functions: what most programs are written against. It stands on ``HybridQueue`` and ``Worker``."""

from __future__ import annotations

from distributed_queue.core.app.app import DistributedQ
from distributed_queue.core.app.dependencies import Depends
from distributed_queue.core.app.handle import TaskHandle
from distributed_queue.core.app.middleware import Middleware
from distributed_queue.core.app.task_function import AsyncTaskFunction, Call, TaskFunction

__all__ = ["AsyncTaskFunction", "Call", "Depends", "DistributedQ", "Middleware", "TaskFunction", "TaskHandle"]
