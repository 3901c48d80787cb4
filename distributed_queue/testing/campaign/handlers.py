"""What the tasks of a campaign do, the hostile ones included. Each writes down that it ran, outside of the system."""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING, Any

from distributed_queue.core.retry import Backoff, RetryPolicy
from distributed_queue.core.worker import current_task
from distributed_queue.errors import RetryLater, Snooze
from distributed_queue.testing.proof.records import Effect

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from distributed_queue.core.worker import Worker
    from distributed_queue.core.worker.context import RunningTask
    from distributed_queue.testing.proof.records import History

    Body: TypeAlias = Callable[[RunningTask, float], object]

HOG_SECONDS = 1.2
"""Longer than a worker's renewals are apart, shorter than a lease."""
_SOON = RetryPolicy(backoff=Backoff.FIXED, base=0.2)
_HUGE_BYTES = 1 << 42
_FORK_SECONDS = 0.5
_STUCK_SECONDS = 20.0


def register_all(worker: Worker, process: str, effects: History) -> None:
    """Let a worker run every kind of task. ``effects`` is where they write down that they ran."""

    def observed(body: Body) -> Callable[[Any], str]:
        def handler(data: float) -> str:
            task = current_task()
            note(task, "start")
            try:
                body(task, data)
            finally:
                note(task, "end")
            return f"{task.task_id}:{task.attempt}"

        return handler

    def note(task: RunningTask, step: Any) -> None:
        effects.write(
            Effect(process=process, queue=task.queue, id=task.task_id, attempt=task.attempt, step=step, at=time.time())
        )

    for kind, body in _BODIES.items():
        worker.register_handler(kind, observed(body), retry=_SOON)


def _quick(task: RunningTask, data: float) -> None:
    pass


def _short(task: RunningTask, data: float) -> None:
    time.sleep(data)


def _flaky(task: RunningTask, data: float) -> None:
    if task.retry_count == 0:
        raise RetryLater(data)


def _snoozed(task: RunningTask, data: float) -> None:
    if task.attempt == 1:
        raise Snooze(data)


def _failing(task: RunningTask, data: float) -> None:
    raise ValueError("it always fails")


def _hog(task: RunningTask, data: float) -> None:
    """Keep every other thread of the process from running: ``PyDLL`` calls with the GIL held."""
    ctypes.PyDLL(None).usleep(int(HOG_SECONDS * 1e6))


def _stuck(task: RunningTask, data: float) -> None:
    """Return long after everybody has given it up, and be deaf to what is raised: it takes effect after the call."""
    time.sleep(_STUCK_SECONDS)


def _endless(task: RunningTask, data: float) -> None:
    while True:
        time.sleep(0.005)


def _greedy(task: RunningTask, data: float) -> None:
    bytearray(_HUGE_BYTES)


def _segfault(task: RunningTask, data: float) -> None:
    ctypes.string_at(0)


def _exit(task: RunningTask, data: float) -> None:
    """End the process, but only the first time."""
    if task.crashes == 0:
        os._exit(3)


def _fork(task: RunningTask, data: float) -> None:
    """Leave a child behind that has everything open that the worker has, for a while."""
    if os.fork() == 0:
        time.sleep(_FORK_SECONDS)
        os._exit(0)


_BODIES: dict[str, Body] = {
    "quick": _quick,
    "short": _short,
    "flaky": _flaky,
    "snoozed": _snoozed,
    "failing": _failing,
    "hog": _hog,
    "stuck": _stuck,
    "endless": _endless,
    "greedy": _greedy,
    "segfault": _segfault,
    "exit": _exit,
    "fork": _fork,
}
