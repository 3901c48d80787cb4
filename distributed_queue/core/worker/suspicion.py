"""How near a worker lets tasks to each other whose workers died: a pure rule.

One of them may have been the cause, and nobody can tell which. Each time, all that a worker held count a crash; held
together again, they would end as dead letters together. So after a first crash nothing waits beside what runs, and
after a second a task runs before anything else is claimed: then it is alone when it strikes again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALONE_AFTER = 2
"""Crashes after which a task is run alone."""


def may_keep(crashes: Sequence[int], free_slots: int) -> int:
    """How many of the tasks that were claimed together, from the first on, a worker keeps; it gives back the rest.

    ``crashes`` is how often each task's worker died.
    """
    if not any(crashes):
        return len(crashes)
    room = max(0, free_slots)
    for place, times in enumerate(crashes):
        if times >= ALONE_AFTER:
            return min(room, place or 1)
    return min(room, len(crashes))
