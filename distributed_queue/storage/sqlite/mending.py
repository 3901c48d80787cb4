"""Rows of tasks that cannot be worked with, because something else wrote them: parked as dead letters.

SQLite keeps what it is given: text that is no UTF-8, states that do not exist, counts that nothing can be added to. One
such row would make each step fail that meets it, and so hold up its whole queue. Nobody looks for them until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from distributed_queue.core import counters
from distributed_queue.core.lifecycle import Event, TaskStatus
from distributed_queue.core.payload import DEFAULT_TYPE, UNREADABLE
from distributed_queue.core.records import MAX_COUNT
from distributed_queue.core.storage import SWEEP_LIMIT, Change
from distributed_queue.storage.sqlite.rows import STATUS
from distributed_queue.storage.sqlite.statements import sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.storage.sqlite.step import Step

T = TypeVar("T")

SUSPECTS = sql("mend_suspects")
MEND = sql("mend_task")
COUNTS = sql("mend_counts")

_FINISHED = f"{counters.FINISHED}.{TaskStatus.DEAD}"


def is_text(stored: Any) -> bool:
    """Whether bytes are UTF-8, or NULL. ``mend_suspects.sql`` asks (so it may be Any), since SQLite cannot tell."""
    try:
        return stored is None or stored.decode() is not None
    except UnicodeDecodeError:
        return False


def mended(verb: Callable[[], T], mend: Callable[[Callable[[Step], int]], int]) -> T:
    """What ``verb`` gives; where it meets rows that cannot be worked with, after those were parked."""
    while True:
        try:
            return verb()
        except (UnicodeDecodeError, OverflowError, IndexError):
            if not mend(park):
                raise


def park(step: Step) -> int:
    """Make dead letters of rows that cannot be worked with; how many there were."""
    suspects = step.read(SUSPECTS, MAX_COUNT, SWEEP_LIMIT)
    for key, name, task_id, task_type in suspects:
        queue = step.queue(name)
        known_id = task_id.decode() if is_text(task_id) else f"{UNREADABLE}-{key}"
        known_type = task_type.decode() if is_text(task_type) else DEFAULT_TYPE
        queue.changes.append(Change(Event.DEAD.value, known_id, 0, UNREADABLE))
        queue.count(_FINISHED, known_type)
        step.write(MEND, known_id, known_type, UNREADABLE, step.now_ms, key)
    # Which state a row was counted under is not known, where that is what was overwritten.
    for name in {name for _, name, _, _ in suspects}:
        queue = step.queue(name)
        counted = dict(step.read(COUNTS, queue.key))
        queue.counts = [counted.get(state, 0) for state in range(len(STATUS))]
    return len(suspects)
