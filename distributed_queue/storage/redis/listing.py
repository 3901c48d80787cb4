"""Listing with cursors: a cursor is the place, in the index of a queue's state, of the last task looked at."""

from __future__ import annotations

import base64
import math
import re
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.lifecycle import LISTED_ORDER, TaskStatus
from distributed_queue.core.storage import Page
from distributed_queue.errors import InvalidCursor
from distributed_queue.storage.redis.codec import stored_task, unpack_id
from distributed_queue.storage.redis.keys import INDEXES, queue_keys
from distributed_queue.storage.redis.scripts import load_script

if TYPE_CHECKING:
    from distributed_queue.core.storage import StoredTask, TaskFilter
    from distributed_queue.storage.redis.gateway import Gateway

_LOOKS_PER_PAGE = 2000
"""Tasks looked at for one page, however few of them match."""
_STATES = tuple(state for state in LISTED_ORDER if state in INDEXES)


_is_score = re.compile(r"-?(?:inf|[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)").fullmatch


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a listing goes on."""

    queue: str
    state: str
    score: str
    member: bytes

    def __post_init__(self) -> None:
        if not math.isfinite(float(self.score)):
            raise ValueError("not a score")
        TaskStatus(self.state)


def find(gateway: Gateway, where: TaskFilter, cursor: str | None, limit: int) -> Page:
    """See ``Storage.find``."""
    after = None if cursor is None else _decode(cursor)
    found: list[StoredTask] = []
    for queue, state in _stretches(gateway, where, after):
        place = after if after is not None and (after.queue, after.state) == (queue, state) else None
        tasks, place = _list(gateway, where, (queue, state), place, limit - len(found))
        found += tasks
        if place is not None:
            # The page is full; or, in search of a type, enough was looked at.
            return Page(found, _encode(place))
    return Page(found)


def _stretches(gateway: Gateway, where: TaskFilter, after: Place | None) -> list[tuple[str, TaskStatus]]:
    """The queues' states that have tasks to list, in order."""
    names = gateway.queues()
    if where.queue is not None:
        names = tuple(name for name in names if name == where.queue)
    states = [state for state in _STATES if where.status is None or state is where.status]
    pairs = [(name, state) for name in names for state in states if after is None or not _is_before(name, state, after)]
    sizes = gateway.read([(b"ZCARD", queue_keys(name).indexes[state]) for name, state in pairs])
    return [pair for pair, size in zip(pairs, sizes, strict=True) if size]


def _is_before(name: str, state: TaskStatus, after: Place) -> bool:
    return (name, _STATES.index(state)) < (after.queue, _STATES.index(TaskStatus(after.state)))


def _list(
    gateway: Gateway,
    where: TaskFilter,
    stretch: tuple[str, TaskStatus],
    place: Place | None,
    most: int,
) -> tuple[list[StoredTask], Place | None]:
    queue, state = stretch
    score, member = (place.score, place.member) if place else ("", b"")
    looks = most if where.type is None else max(most, _LOOKS_PER_PAGE)
    call = load_script("list").call(
        queue_keys(queue).all,
        *(str(state), "1" if state.finished else "0", score, member, most, looks),
        *("0" if where.type is None else "1", where.type or ""),
    )
    found, *last = gateway.connections.run(call)
    tasks = [stored_task(queue, unpack_id(member), (fields, score), state) for member, fields, score in found]
    return tasks, Place(queue, str(state), last[0].decode(errors="replace"), last[1]) if last else None


def _encode(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode()


def _decode(cursor: str) -> Place:
    try:
        place = msgspec.msgpack.decode(base64.urlsafe_b64decode(cursor.encode()), type=Place)
        usable = TaskStatus(place.state) in _STATES and _is_score(place.score)
    except (ValueError, msgspec.MsgspecError):
        usable = False
    if not usable:
        raise InvalidCursor(f"{cursor!r:.100} is not a cursor of this storage")
    return place
