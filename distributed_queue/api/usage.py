"""What workers take of their hosts, and where their handlers are, as the documents that clients get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from distributed_queue.core.storage import TaskStack, WorkerInfo


def usage_document(worker: WorkerInfo) -> dict[str, Any]:
    """The last fields of ``models.WorkerOut``."""
    return {
        "memory_bytes": worker.memory_bytes or None,
        "cpu_share": worker.cpu_share,
        "inspections": worker.inspections,
        "stacks": [stack_document(stack) for stack in worker.stacks],
    }


def stack_document(stack: TaskStack) -> dict[str, Any]:
    """The fields of ``models.StackOut``."""
    return {**msgspec.structs.asdict(stack), "frames": list(stack.frames)}
