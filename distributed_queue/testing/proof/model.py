"""A queue's task as its journal tells of it, and the moves that the life cycle has."""

from __future__ import annotations

import math
from dataclasses import dataclass

BEFORE: dict[str, frozenset[str]] = {
    "due": frozenset({"scheduled", "retrying", "arrived"}),
    "claimed": frozenset({"pending", "arrived"}),
    "completed": frozenset({"processing"}),
    "retrying": frozenset({"processing"}),
    "released": frozenset({"processing"}),
    "snoozed": frozenset({"processing"}),
    "lease_expired": frozenset({"processing"}),
    "cancel_requested": frozenset({"processing"}),
    "dead": frozenset({"processing", "lost"}),
    "cancelled": frozenset({"processing", "lost", "pending", "scheduled", "retrying", "blocked", "arrived"}),
    "expired": frozenset({"pending", "scheduled", "retrying", "blocked", "arrived"}),
    "requeued": frozenset({"dead", "cancelled", "expired", "retrying", "scheduled", "arrived"}),
    "updated": frozenset({"processing", "pending", "scheduled", "retrying", "blocked", "arrived"}),
    "deleted": frozenset(
        {"pending", "scheduled", "retrying", "blocked", "arrived", "completed", "dead", "cancelled", "expired"}
    ),
}
"""Event to the states in which it may happen.

``lost`` is a task whose lease ran out in this very step, ``arrived`` one that is scheduled or pending: nobody can tell.
"""
QUEUE_EVENTS = frozenset({"cleared", "paused", "resumed", "configured"})
ENDS_LEASE = frozenset({"completed", "retrying", "released", "snoozed", "dead", "cancelled"})
ASKED_FOR = {"requeued": "requeue", "deleted": "delete", "cancel_requested": "cancel", "cancelled": "cancel"}
"""Event to the verb without which it does not happen; what runs may be cancelled by its worker too."""
GOES_ON = frozenset({"retrying", "released", "snoozed"})
"""Ends of an attempt after which the task will run again; where cancellation was asked for it is cancelled instead."""
WAITING = frozenset({"pending", "scheduled", "retrying", "blocked", "arrived"})
FINISHED = frozenset({"completed", "dead", "cancelled", "expired"})
TRIMMED = frozenset({"completed", "cancelled", "expired"})
"""What retention removes."""
GONE = "deleted"
UNKNOWN_PRIORITY = -1
"""Of a task whose place in line nobody can tell: it was changed, or submitted in several versions."""


@dataclass(slots=True)
class ModelTask:
    """A task as the journal tells it."""

    status: str
    priority: int
    sequence: int = 0
    attempt: int = 0
    crashes: int = 0
    not_before: float = 0.0
    due_known: bool = True
    """``not_before`` is exactly when it is due, not only the earliest that it may be."""
    expires_at: float = math.inf
    cancel_requested: bool = False
    lives: int = 1
    """How often the id was stored: what was said of one life cannot be told from what was said of another."""
