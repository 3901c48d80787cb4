"""The moves that several verbs make: how a task becomes ready, waits, ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core import counters
from distributed_queue.core.lifecycle import Event
from distributed_queue.storage.sqlite.rows import EXPIRED, PENDING, STATUS

if TYPE_CHECKING:
    from distributed_queue.storage.sqlite.queue import Queue
    from distributed_queue.storage.sqlite.rows import TaskRow
    from distributed_queue.storage.sqlite.step import Step

_FINISHED = tuple(f"{counters.FINISHED}.{status}" for status in STATUS)
"""Names of counters, by state code."""


def make_ready(step: Step, queue: Queue, row: TaskRow, ready_ms: int, *, keep_place: bool = False) -> None:
    """Let a task be claimed, at the end of its priority or at its old place."""
    queue.move(row, PENDING)
    if not keep_place:
        row.sequence = queue.next_sequence()
    row.at_ms = ready_ms
    step.save(row)


def postpone(step: Step, queue: Queue, row: TaskRow, state: int, due_ms: int) -> None:
    """Let a task become ready later."""
    queue.move(row, state)
    row.at_ms = due_ms
    step.save(row)


def finish(step: Step, queue: Queue, row: TaskRow, state: int) -> None:
    """End a task's life, until someone requeues it."""
    queue.move(row, state)
    row.at_ms = step.now_ms
    queue.count(_FINISHED[state], row.type)
    step.save(row)


def expire(step: Step, queue: Queue, row: TaskRow) -> None:
    """End a task that was not claimed in time."""
    queue.record(Event.EXPIRED, row)
    finish(step, queue, row, EXPIRED)
