"""The journal: one row for each step and queue, the oldest dropped by age and size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.storage import SWEEP_LIMIT, Change, JournalEntry
from distributed_queue.storage.sqlite.rows import SECOND_MS
from distributed_queue.storage.sqlite.statements import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.storage.sqlite.queue import Queue
    from distributed_queue.storage.sqlite.reading import Read
    from distributed_queue.storage.sqlite.step import Step

APPEND = sql("journal_append")
OLDEST = sql("journal_oldest")
TRIM = sql("journal_trim")
READ = sql("journal_read")
TAIL = sql("journal_tail")

_ENTRY_BYTES = 32
"""About what a row takes besides its changes."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Change]).decode


def append(step: Step, queue: Queue) -> None:
    """Add the step's changes to the queue's journal, if it keeps one, and drop what is too old or too much."""
    if not queue.config.journal:
        return
    changes = _encode(queue.changes)
    queue.journal_tail += 1
    queue.journal_bytes += _ENTRY_BYTES + len(changes)
    step.write(APPEND, queue.key, queue.journal_tail, step.now_ms, changes)
    _trim(step, queue)


def _trim(step: Step, queue: Queue) -> None:
    oldest_kept = step.now_ms - ceil_ms(queue.config.journal_max_age)
    last = None
    # One entry is looked at where none has to go, which is the common case.
    for limit in (1, SWEEP_LIMIT):
        for position, at_ms, size in _oldest(step, queue, limit):
            if last is not None and position <= last:
                continue
            if queue.journal_bytes <= queue.config.journal_max_bytes and at_ms >= oldest_kept:
                break
            last = position
            queue.journal_bytes -= _ENTRY_BYTES + size
        if last is None:
            return
    step.write(TRIM, queue.key, last)
    step.remembered.oldest.pop(queue.key, None)


def _oldest(step: Step, queue: Queue, limit: int) -> Sequence[tuple[int, int, int]]:
    """The first entries with their times and sizes. The very first stays that until it is dropped."""
    first = step.remembered.oldest.get(queue.key)
    if limit == 1 and first is not None:
        return (first,)
    rows: list[tuple[int, int, int]] = step.read(OLDEST, queue.key, limit)
    step.remembered.oldest[queue.key] = rows[0]
    return rows


def entries(read: Read, queue: str, after: int, limit: int) -> list[JournalEntry]:
    """Up to ``limit`` entries above a position."""
    return [
        JournalEntry(position, at_ms / SECOND_MS, _changes(changes))
        for position, at_ms, changes in read(READ, queue, after, limit)
    ]


def _changes(stored: bytes) -> list[Change]:
    """The changes of an entry; none where they cannot be read, so that those who follow the journal get past it."""
    try:
        return _decode(stored)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return []


def tail(read: Read, queue: str) -> int:
    """The position of the latest entry, 0 if there is none."""
    rows = read(TAIL, queue)
    return int(rows[0][0]) if rows else 0
