"""Looking through tasks one by one, for what no index of the storage can choose by: in bounded steps, with a cursor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core.lifecycle import LISTED_ORDER, TaskStatus
from distributed_queue.core.storage import TaskFilter
from distributed_queue.errors import InvalidCursor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed_queue.core.storage import Storage, StoredTask
    from distributed_queue.dashboard.search import Search

FIRST_SECONDS = 0.05
"""How long the first page of a list looks; it is to be there at once."""
FURTHER_SECONDS = 1.0
"""How long the pages after it look: who asked for them waits for something."""
_BATCH = 100
_ERRORS_FIRST = (TaskStatus.RETRYING, TaskStatus.DEAD)


class Batch(NamedTuple):
    """What some tasks that were looked at gave."""

    tasks: list[StoredTask]
    """Those of them that fit."""
    seen: int
    cursor: str | None
    """Where to go on; None at the end."""


def batches(  # noqa: PLR0913 - what, where, from where on, how many at a time
    storage: Storage,
    search: Search,
    now: float,
    states: Sequence[TaskStatus],
    cursor: str | None = None,
    *,
    size: int = _BATCH,
) -> Iterator[Batch]:
    """All tasks in these states that fit, state by state. Raises ``InvalidCursor``."""
    fitting = search.fitting(now)
    start, inner = _decode(cursor, states)
    for index in range(start, len(states)):
        following = f"{states[index + 1]}:" if index + 1 < len(states) else None
        while True:
            page = storage.find(TaskFilter(search.queue, states[index], search.type), inner, size)
            inner = page.cursor
            place = following if inner is None else f"{states[index]}:{inner}"
            yield Batch([task for task in page.tasks if fitting.fits(task)], len(page.tasks), place)
            if inner is None:
                break


def look(storage: Storage, search: Search, now: float, cursor: str | None, enough: int) -> Batch:
    """One page of a list: at least ``enough`` tasks that fit, or as many as there was time to find."""
    end = time.monotonic() + (FIRST_SECONDS if cursor is None else FURTHER_SECONDS)
    found, seen = Batch([], 0, None), 0
    for batch in batches(storage, search, now, _order(search), cursor):
        seen += batch.seen
        found = Batch(found.tasks + batch.tasks, seen, batch.cursor)
        if len(found.tasks) >= enough or time.monotonic() >= end:
            break
    return found


def _order(search: Search) -> Sequence[TaskStatus]:
    if search.status is not None:
        return (search.status,)
    if search.error is None:
        return LISTED_ORDER
    return (*_ERRORS_FIRST, *(state for state in LISTED_ORDER if state not in _ERRORS_FIRST))


def _decode(cursor: str | None, states: Sequence[TaskStatus]) -> tuple[int, str | None]:
    if not cursor:
        return 0, None
    state, _, inner = cursor.partition(":")
    try:
        return states.index(TaskStatus(state)), inner or None
    except ValueError:
        raise InvalidCursor(f"{cursor!r:.100} is not a cursor of this search") from None
