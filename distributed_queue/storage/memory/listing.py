"""Listing with cursors: a cursor is the position of the last task given, as a key that sorts."""

from __future__ import annotations

import base64
from heapq import nsmallest
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.lifecycle import LISTED_ORDER, TaskStatus
from distributed_queue.errors import InvalidCursor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import TaskFilter
    from distributed_queue.storage.memory.queue import Entry, MemoryQueue


class Position(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Where a task stands in the order of a listing."""

    queue: str
    state: int
    """Index in ``LISTED_ORDER``."""
    key: tuple[int, int]
    id: str
    """Compared within equal keys; descending where the latest come first, see ``_Descending``."""


def encode_cursor(position: Position) -> str:
    """A position as opaque text."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).decode()


def decode_cursor(cursor: str) -> Position:
    """A position from its text. Raises ``InvalidCursor``."""
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(cursor.encode()), type=Position)
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidCursor(f"{cursor!r:.100} is not a cursor of this storage") from error


def page(
    queues: list[MemoryQueue], where: TaskFilter, after: Position | None, limit: int
) -> tuple[list[tuple[MemoryQueue, Entry]], Position | None]:
    """Up to ``limit`` tasks after a position, and the position of the last where more may follow."""
    found: list[tuple[MemoryQueue, Entry]] = []
    last: Position | None = None
    for queue in queues:
        if after is not None and queue.name < after.queue:
            continue
        for index, state in enumerate(LISTED_ORDER):
            if where.status is not None and state is not where.status:
                continue
            matching = _after(queue, state, index, where.type, after)
            for position, entry in nsmallest(limit - len(found), matching, key=lambda pair: _sort_key(pair[0])):
                found.append((queue, entry))
                last = position
            if len(found) == limit:
                return found, last
    return found, None


def _after(
    queue: MemoryQueue, state: TaskStatus, index: int, task_type: str | None, after: Position | None
) -> Iterator[tuple[Position, Entry]]:
    if not queue.counts[state]:
        return
    floor = None if after is None else _sort_key(after)
    for entry in queue.tasks.values():
        if entry.status is not state or (task_type is not None and entry.type != task_type):
            continue
        position = Position(queue.name, index, _own_order(entry), entry.id)
        if floor is None or _sort_key(position) > floor:
            yield position, entry


def _own_order(entry: Entry) -> tuple[int, int]:
    """The order within a state, before the id."""
    if entry.status is TaskStatus.PENDING:
        return entry.priority, entry.sequence
    if entry.status is TaskStatus.PROCESSING:
        return entry.deadline_ms or 0, 0
    if entry.status.finished:
        return -(entry.finished_ms or 0), 0
    return entry.due_ms or 0, 0


class _Descending(str):
    """Text that sorts the other way round."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


def _sort_key(position: Position) -> tuple[str, int, tuple[int, int], str]:
    latest_first = LISTED_ORDER[position.state].finished if position.state < len(LISTED_ORDER) else False
    return position.queue, position.state, position.key, _Descending(position.id) if latest_first else position.id
