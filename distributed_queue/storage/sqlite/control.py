"""What people ask for: cancel, requeue, delete, update, configure."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.history import AttemptOutcome
from distributed_queue.core.lifecycle import REQUEUABLE, WAITING, Event, TaskStatus
from distributed_queue.core.storage import QueueConfig, StoredTask, TaskUpdate, apply_config
from distributed_queue.storage.sqlite.enqueueing import BODY_SAVE
from distributed_queue.storage.sqlite.reading import get
from distributed_queue.storage.sqlite.rows import CANCELLED, CODE, INLINE_BYTES, PROCESSING, SCHEDULED, STATUS
from distributed_queue.storage.sqlite.statements import sql
from distributed_queue.storage.sqlite.step import as_json
from distributed_queue.storage.sqlite.transitions import finish, make_ready, postpone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.storage.sqlite.queue import Queue
    from distributed_queue.storage.sqlite.rows import TaskRow
    from distributed_queue.storage.sqlite.step import Step

BODY_INLINE = sql("body_inline")
BODIES_DELETE = sql("bodies_delete")

_WAITING = frozenset(CODE[state] for state in WAITING)
_REQUEUABLE = frozenset(CODE[state] for state in REQUEUABLE)


def cancel(step: Step, name: str, ids: Sequence[str]) -> list[StoredTask | None]:
    """Cancel what waits, ask what runs to stop; the tasks afterwards."""
    queue = step.queue(name)
    rows = step.tasks(queue, ids)
    for task_id in ids:
        row = rows.get(task_id)
        if row is not None and row.state in _WAITING:
            queue.record(Event.CANCELLED, row)
            finish(step, queue, row, CANCELLED)
        elif row is not None and row.state == PROCESSING and not row.cancel_requested:
            row.cancel_requested = 1
            queue.record(Event.CANCEL_REQUESTED, row)
            step.save(row)
    step.flush()
    return get(step.read, ids, name)


def requeue(step: Step, name: str, ids: Sequence[str], delays: Sequence[float]) -> list[bool]:
    """Make tasks ready, with a clean slate but their attempt."""
    queue = step.queue(name)
    rows = step.tasks(queue, ids)
    return [
        task_id in rows and _requeue(step, queue, rows[task_id], ceil_ms(delay))
        for task_id, delay in zip_longest(ids, delays, fillvalue=0.0)
    ]


def _requeue(step: Step, queue: Queue, row: TaskRow, delay_ms: int) -> bool:
    if row.state not in _REQUEUABLE:
        return False
    row.failures = row.crashes = row.cancel_requested = 0
    row.error = row.result = row.progress = row.reason = row.expires_ms = None
    queue.record(Event.REQUEUED, row)
    if delay_ms > 0:
        postpone(step, queue, row, SCHEDULED, step.now_ms + delay_ms)
    else:
        make_ready(step, queue, row, step.now_ms)
    return True


def delete(step: Step, name: str, ids: Sequence[str]) -> list[bool]:
    """Forget tasks that do not run."""
    queue = step.queue(name)
    rows = step.tasks(queue, ids)
    keys: list[int] = []
    deleted: list[bool] = []
    for task_id in ids:
        row = rows.get(task_id)
        gone = row is not None and row.state != PROCESSING
        if row is not None and gone:
            queue.record(Event.DELETED, row)
            queue.counts[row.state] -= 1
            keys.append(row.key)
            del rows[task_id]
        deleted.append(gone)
    step.forget(keys)
    return deleted


def update(step: Step, name: str, task_id: str, changes: TaskUpdate) -> bool:
    """Apply all changes to a task, or none."""
    queue = step.queue(name)
    row = step.tasks(queue, [task_id]).get(task_id)
    if row is None or not _fits(row, changes):
        return False
    if changes.progress is not None:
        row.progress = changes.progress
    if changes.note is not None:
        step.keep_attempt(row, AttemptOutcome.RUNNING, changes.note)
    if changes.priority is not None:
        row.priority = changes.priority
    if changes.body is not None:
        _replace_body(step, row, changes.body)
    queue.record(Event.UPDATED, row)
    if changes.execute_after is not None:
        postpone(step, queue, row, row.state, ceil_ms(changes.execute_after))
    step.save(row)
    return True


def _replace_body(step: Step, row: TaskRow, body: bytes) -> None:
    if len(body) <= INLINE_BYTES:
        step.write(BODY_INLINE, body, row.key)
        step.write(BODIES_DELETE, as_json([row.key]))
    else:
        step.write(BODY_INLINE, None, row.key)
        step.write(BODY_SAVE, body, row.queue, row.id)


def _fits(row: TaskRow, changes: TaskUpdate) -> bool:
    status = STATUS[row.state]
    if changes.attempt is not None and changes.attempt != row.attempt:
        return False
    of_attempt = changes.progress is not None or changes.note is not None
    if of_attempt and (changes.attempt is None or status is not TaskStatus.PROCESSING):
        return False
    if (changes.priority is not None or changes.body is not None) and status not in WAITING:
        return False
    return changes.execute_after is None or status in (TaskStatus.SCHEDULED, TaskStatus.RETRYING)


def configure(step: Step, name: str, changes: dict[str, object]) -> QueueConfig:
    """Change a queue's settings; all of them afterwards."""
    queue = step.queue(name)
    before = queue.config
    after = queue.config = apply_config(before, changes)
    if after.paused != before.paused:
        queue.record_own(Event.PAUSED if after.paused else Event.RESUMED)
    if msgspec.structs.replace(after, paused=before.paused) != before:
        queue.record_own(Event.CONFIGURED)
    return after
