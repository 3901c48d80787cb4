"""Kinds of faults, one file a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

STORAGE = "storage"
"""The target that is not a member."""


@dataclass(frozen=True)
class FaultKind:
    """Something that can be broken on purpose."""

    name: str
    targets: tuple[str, ...]
    """Places of members, or ``STORAGE``. A target suffers one fault at a time."""
    strike: Callable[[str], AbstractContextManager[Callable[[], bool] | None]]
    """Begins it at a target when entered, and ends it when left; what it gives, if anything, tells whether it goes on
    by itself beyond its time."""
    seconds: tuple[float, float] = (0.0, 0.0)
    """It lasts between so and so long; nothing where it is a matter of a moment."""
    weight: int = 1
    """How often it comes up, compared with others."""
