"""Asking workers where their handlers are, and showing it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from distributed_queue.cli.text import duration, plural
from distributed_queue.core.storage import Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from distributed_queue.cli.output import Output
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import TaskStack, WorkerInfo

_PATIENCE_SECONDS = 10.0
"""A worker hears of it with its next beat, within two seconds, and tells with the one after."""
_LOOK_SECONDS = 0.1


def inspect(queue: HybridQueue, workers: Sequence[WorkerInfo]) -> list[WorkerInfo]:
    """Those of the workers that have told in time, with what they told."""
    asked = {worker.id: worker.inspections for worker in workers}
    for worker_id in asked:
        queue.storage.command(worker_id, Command(action="inspect"))
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        live = [worker for worker in queue.workers() if worker.id in asked]
        seen = [worker for worker in live if worker.inspections > asked[worker.id]]
        if len(seen) >= len(live) or time.monotonic() >= end:
            return seen
        time.sleep(_LOOK_SECONDS)


def print_stacks(out: Output, workers: Iterable[WorkerInfo]) -> None:
    """Print a block for each task, the frame that it is in at the bottom."""
    for worker in workers:
        out.line(f"{worker.name}: {plural(len(worker.stacks), 'task')}, pid {worker.pid} on {worker.host}")
        for stack in worker.stacks:
            out.line(f"  {stack.task_id} in {stack.queue}, attempt {stack.attempt}, {_times(stack)}")
            for frame in stack.frames:
                out.line(f"    {frame}")
            if stack.note:
                out.line(f"    ({stack.note})")


def _times(stack: TaskStack) -> str:
    limit = "no limit" if stack.limit_seconds is None else f"limit {duration(stack.limit_seconds)}"
    stuck = ", does not stop" if stack.stuck else ""
    return f"for {duration(stack.seconds)}, {limit}{stuck}"
