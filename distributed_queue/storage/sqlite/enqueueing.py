"""Storing new tasks: all of them, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core import counters
from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.lifecycle import Event
from distributed_queue.core.limits import overflow
from distributed_queue.core.storage import Change
from distributed_queue.errors import QueueFull
from distributed_queue.storage.sqlite.rows import INLINE_BYTES, PENDING, SCHEDULED
from distributed_queue.storage.sqlite.statements import sql
from distributed_queue.storage.sqlite.step import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import NewTask
    from distributed_queue.storage.sqlite.queue import Queue
    from distributed_queue.storage.sqlite.step import Step

KNOWN = sql("enqueue_known")
ENQUEUE = sql("enqueue")
BODY_SAVE = sql("body_save")

_ENQUEUED = Event.ENQUEUED.value


def enqueue(step: Step, tasks: Sequence[NewTask]) -> list[bool]:
    """Store those of the tasks that are new; for each whether it was. Raises ``QueueFull`` before it writes any."""
    names = dict.fromkeys(task.queue for task in tasks)
    known = {name: _known(step, step.queue(name), [task.id for task in tasks if task.queue == name]) for name in names}
    for name in names:
        queue = step.queue(name)
        arriving = len({task.id for task in tasks if task.queue == name} - known[name])
        limit = queue.config.max_size
        if limit is not None and arriving and overflow(queue.depth, arriving, limit):
            raise QueueFull(name, queue.depth, limit)
    rows: list[tuple[Any, ...]] = []
    stored = [_add(step.queue(task.queue), known[task.queue], task, step.now_ms, rows) for task in tasks]
    step.write_many(ENQUEUE, rows)
    large = [task for task, new in zip(tasks, stored, strict=True) if new and len(task.body) > INLINE_BYTES]
    step.write_many(BODY_SAVE, [(task.body, step.queue(task.queue).key, task.id) for task in large])
    return stored


def _known(step: Step, queue: Queue, ids: list[str]) -> set[str]:
    """Those of these ids that the queue has already."""
    return {known for (known,) in step.read(KNOWN, queue.key, as_json(ids))}


def _add(queue: Queue, known: set[str], task: NewTask, now_ms: int, rows: list[tuple[Any, ...]]) -> bool:
    """Make the row of one task, unless its id is known."""
    if task.id in known:
        queue.count(counters.DEDUPLICATED, task.type)
        return False
    known.add(task.id)
    due_ms = _due_ms(task, now_ms)
    state, sequence, at_ms = (SCHEDULED, 0, due_ms) if due_ms > now_ms else (PENDING, queue.next_sequence(), now_ms)
    queue.counts[state] += 1
    queue.count(counters.ENQUEUED, task.type)
    queue.changes.append(Change(_ENQUEUED, task.id))
    expires_ms = None if task.expires_at is None else ceil_ms(task.expires_at)
    body = task.body if len(task.body) <= INLINE_BYTES else None
    rows.append(
        (queue.key, task.id, task.type, state, task.priority, sequence, at_ms, now_ms, now_ms, expires_ms, body)
    )
    return True


def _due_ms(task: NewTask, now_ms: int) -> int:
    if task.execute_after is None and not task.delay:
        return 0
    return max(
        ceil_ms(task.execute_after) if task.execute_after is not None else 0,
        now_ms + ceil_ms(task.delay) if task.delay else 0,
    )
