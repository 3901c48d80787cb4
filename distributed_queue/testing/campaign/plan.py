"""What a campaign is to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MANY = 10_000_000
UNTRIMMED: dict[str, Any] = {"retention_count": MANY, "retention_seconds": 1e6, "journal_max_bytes": 1 << 40}
"""Settings with which nothing is forgotten before it was checked."""
QUEUES: dict[str, dict[str, Any]] = {
    "open": {"max_size": 20_000},
    "limited": {"max_size": 1_000, "concurrency": 20, "rate_limit": 500.0, "rate_burst": 100},
}
"""The queues and their limits: one that lets through what it can, and one with every limit."""


@dataclass(frozen=True)
class Plan:
    """A campaign: rounds of faults under load, each on an empty storage, each drained and checked on its own."""

    engine: str
    seed: int = 0
    seconds: float = 600.0
    """Time under faults, of all rounds together; healing, draining and checking come on top."""
    round_seconds: float = 60.0
    faults: int | None = None
    """A round ends after this many faults, if that comes before its time is over."""
    workers: int = 3
    producers: int = 2
    slots: int = 8
    """Handlers that a worker runs at once."""
    rate: float = 4000.0
    """Tasks that the producers submit a second, together, while they can."""
    lease_seconds: float = 2.0
    pause_seconds: float = 0.6
    """Mean time from one fault to the next; they may overlap where they strike different targets."""
    hostile_every: int = 4000
    """One task of so many is hostile to its worker."""
    only: tuple[str, ...] = ()
    """Kinds of faults to choose from; empty for all that there are."""
    drain_seconds: float = 120.0
    resume_seconds: float = 5.0
    """How soon work has to go on after the storage is back."""
    recovery_seconds: float = 2.0
    """How soon after its end a lease has to be taken back (99 of 100)."""
    options: dict[str, str] = field(default_factory=dict)
    """Of the engine, such as ``appendfsync``."""

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return max(1, round(self.seconds / self.round_seconds))

    def seed_of(self, number: int, part: str) -> str:
        """What the chances of one part of one round are drawn from."""
        return f"{self.seed}/{number}/{part}"
