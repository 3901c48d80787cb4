"""Forgetting: finished tasks whose retention is over, and whole queues. Dead letters stay until someone acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.lifecycle import Event
from distributed_queue.core.storage import SWEEP_LIMIT
from distributed_queue.storage.sqlite.rows import CANCELLED, COMPLETED, EXPIRED, PENDING
from distributed_queue.storage.sqlite.statements import sql

if TYPE_CHECKING:
    from distributed_queue.storage.sqlite.queue import Queue
    from distributed_queue.storage.sqlite.step import Step

OLDEST = sql("retained_oldest")
CLEAR_READY = sql("clear_ready")
CLEAR_OTHERS = sql("clear_others")

CLEAR_LIMIT = 10_000
"""The most tasks that one step of ``clear`` forgets: some 50 ms during which nobody else writes."""

_RETAINED = (COMPLETED, CANCELLED, EXPIRED)
_EVER = (1 << 63) - 1


def trim(step: Step, queue: Queue) -> None:
    """Forget up to ``SWEEP_LIMIT`` finished tasks, the oldest first: too many ones, and too old ones."""
    kept = sum(queue.counts[state] for state in _RETAINED)
    if not kept:
        return
    surplus = min(kept - queue.config.retention_count, SWEEP_LIMIT)
    forgotten = _forget_oldest(step, queue, _EVER, surplus) if surplus > 0 else 0
    if forgotten < SWEEP_LIMIT:
        oldest_kept = step.now_ms - ceil_ms(queue.config.retention_seconds)
        _forget_oldest(step, queue, oldest_kept, SWEEP_LIMIT - forgotten)


def _forget_oldest(step: Step, queue: Queue, until_ms: int, limit: int) -> int:
    step.flush()
    rows = step.read(OLDEST, queue.key, until_ms, limit)
    for row in rows:
        queue.counts[row[1]] -= 1
    step.forget([row[0] for row in rows])
    return len(rows)


def clear_some(step: Step, name: str) -> tuple[int, bool]:
    """Forget up to ``CLEAR_LIMIT`` tasks of a queue: how many, and whether it is empty now.

    The journal says ``cleared`` in the step that forgets the last, so that what it tells of earlier is gone by then.
    """
    queue = step.queue(name)
    forgotten = 0
    for state, count in enumerate(queue.counts):
        limit = min(count, CLEAR_LIMIT - forgotten)
        if limit > 0:
            ready = state == PENDING
            found = (
                step.read(CLEAR_READY, queue.key, limit) if ready else step.read(CLEAR_OTHERS, queue.key, state, limit)
            )
            step.forget([key for (key,) in found])
            queue.counts[state] -= len(found)
            forgotten += len(found)
    empty = not any(queue.counts)
    return forgotten, empty


def note_cleared(step: Step, name: str) -> None:
    """Say in the journal that a queue was cleared."""
    step.queue(name).record_own(Event.CLEARED)
