"""Listing with cursors: a cursor is the place of the last task looked at, as keys that sort."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from distributed_queue.core.lifecycle import LISTED_ORDER, TaskStatus
from distributed_queue.core.storage import Page, StoredTask
from distributed_queue.errors import InvalidCursor
from distributed_queue.storage.sqlite.queue import Queue
from distributed_queue.storage.sqlite.reading import QUEUES_ALL
from distributed_queue.storage.sqlite.rows import CODE, TaskRow
from distributed_queue.storage.sqlite.statements import sql
from distributed_queue.storage.sqlite.step import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import TaskFilter
    from distributed_queue.storage.sqlite.reading import Read

FIND_READY = sql("find_ready")
FIND_SOONEST = sql("find_soonest")
FIND_LATEST = sql("find_latest")
GET_BY_KEY = sql("get_by_key")

SCAN_LIMIT = 10_000
"""The most tasks that one page looks at in search of a type: it bounds what a rare type costs."""
_CHUNK = 256
_BEFORE_ALL = -(1 << 63)
_AFTER_ALL = (1 << 63) - 1


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a task stands in the order of a listing."""

    queue: str
    state: int
    """Index in ``LISTED_ORDER``."""
    first: int
    second: int | str


class _Search:
    """What a page has found so far, and how far it may still look."""

    def __init__(self, where: TaskFilter, limit: int) -> None:
        self.where = where
        self.keys: list[int] = []
        self.last: Position | None = None
        self._limit = limit
        self._budget = SCAN_LIMIT

    @property
    def over(self) -> bool:
        """Whether the page is full, or has looked at enough."""
        return len(self.keys) == self._limit or self._budget <= 0

    @property
    def chunk(self) -> int:
        """How many tasks to look at next."""
        missing = self._limit - len(self.keys)
        return missing if self.where.type is None else min(self._budget, max(_CHUNK, 2 * missing))

    def look_at(self, position: Position, key: int, task_type: str) -> None:
        """Take a task, or pass it by."""
        self.last = position
        if self.where.type is None:
            self.keys.append(key)
        else:
            self._budget -= 1
            if task_type == self.where.type:
                self.keys.append(key)


def find(read: Read, where: TaskFilter, after: Position | None, limit: int) -> Page:
    """One page of the tasks that match, after a position."""
    search = _Search(where, limit)
    if limit > 0:
        for start, queue in _stretches(read, where, after):
            _walk(read, queue, start, search)
            if search.over:
                return Page(_load(read, search.keys), encode_cursor(search.last) if search.last else None)
    return Page(_load(read, search.keys), None)


def _stretches(read: Read, where: TaskFilter, after: Position | None) -> Iterator[tuple[Position, Queue]]:
    """The states of each queue that have tasks, and where in each to begin."""
    for queue in [Queue(row) for row in read(QUEUES_ALL)]:
        if where.queue is not None and queue.name != where.queue:
            continue
        for index, status in enumerate(LISTED_ORDER):
            if where.status not in (None, status) or not queue.counts[CODE[status]]:
                continue
            if after is None or (queue.name, index) > (after.queue, after.state):
                yield _beginning(queue, index), queue
            elif (queue.name, index) == (after.queue, after.state):
                yield after, queue


def _beginning(queue: Queue, index: int) -> Position:
    status = LISTED_ORDER[index]
    if status is TaskStatus.PENDING:
        return Position(queue.name, index, _BEFORE_ALL, _BEFORE_ALL)
    return Position(queue.name, index, _AFTER_ALL if status.finished else _BEFORE_ALL, "")


def _walk(read: Read, queue: Queue, position: Position, search: _Search) -> None:
    """Go through one state's tasks in its own order."""
    while not search.over:
        chunk = search.chunk
        rows = _look(read, queue, position, chunk)
        for key, first, second, task_type in rows:
            position = Position(queue.name, position.state, first, second)
            search.look_at(position, key, task_type)
            if search.over:
                return
        if len(rows) < chunk:
            return


def _look(read: Read, queue: Queue, after: Position, limit: int) -> list[tuple[Any, ...]]:
    status = LISTED_ORDER[after.state]
    if status is TaskStatus.PENDING:
        return read(FIND_READY, queue.key, after.first, after.second, limit)
    statement = FIND_LATEST if status.finished else FIND_SOONEST
    return read(statement, queue.key, CODE[status], after.first, after.second, limit)


def _load(read: Read, keys: list[int]) -> list[StoredTask]:
    rows = {columns[0]: (name, body, columns) for name, body, *columns in read(GET_BY_KEY, as_json(keys))}
    tasks: list[StoredTask] = []
    for key in keys:
        name, body, columns = rows[key]
        tasks.append(TaskRow(*columns).stored(name, body))
    return tasks


def encode_cursor(position: Position) -> str:
    """A position as opaque text."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).decode()


def decode_cursor(cursor: str) -> Position:
    """A position from its text. Raises ``InvalidCursor``."""
    try:
        position = msgspec.msgpack.decode(base64.urlsafe_b64decode(cursor.encode()), type=Position)
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidCursor(f"{cursor!r:.100} is not a cursor of this storage") from error
    if not 0 <= position.state < len(LISTED_ORDER):
        raise InvalidCursor(f"{cursor!r:.100} is not a cursor of this storage")
    return position
