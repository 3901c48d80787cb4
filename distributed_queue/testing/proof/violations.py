"""What a checker looks for, allows for, and finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

_KEPT = 20


class Check(str, Enum):
    """The promises, as things that can be found broken. The words are stable: scripts match on them."""

    meaning: str
    """What it means when it fails."""

    def __new__(cls, word: str, meaning: str) -> Self:
        """A check by its word."""
        check = str.__new__(cls, word)
        check._value_ = word
        check.meaning = meaning
        return check

    LOST = "lost", "An acknowledged task is gone."
    UNFINISHED = "unfinished", "A task was left unfinished although the queue was let run empty."
    INVENTED = "invented", "What was never submitted, or refused, is stored or ran all the same."
    STALE_OUTCOME = "stale-outcome", "An outcome with an old fencing token was accepted."
    SECOND_OUTCOME = "second-outcome", "A task ended twice."
    UNKEPT_OUTCOME = "unkept-outcome", "A worker was told that its outcome counted, and it did not."
    UNASKED_OUTCOME = "unasked-outcome", "An attempt or a task ended in a way that nobody reported or asked for."
    WRONG_RESULT = "wrong-result", "A result differs from what the accepted attempt reported."
    DUPLICATE_RUN = "duplicate-run", "The same attempt ran twice, or was leased to two workers."
    RUN_WITHOUT_LEASE = (
        "run-without-lease",
        "A handler ran under an attempt that was never leased or was over; or what is completed never ran.",
    )
    ATTEMPTS = "attempts", "Attempt numbers do not count up one by one."
    LEASE_OVERLAP = (
        "lease-overlap",
        "A task was claimed while a lease on it was open; or a lease was taken back early, or held after its end.",
    )
    ORDER = "order", "A task was claimed before another one that was in front of it."
    STORED_TWICE = "stored-twice", "One id, or one piece of work, was stored twice."
    EARLY = "early", "A task ran before its time."
    EXPIRED_RUN = "expired-run", "A task started after it had expired, or expired before its time."
    CONCURRENCY = "concurrency", "More leases were open than the limit."
    RATE = "rate", "More tasks were started than the rate allows."
    PAUSED = "paused", "A task was started while its queue was paused."
    SIZE = "size", "More tasks were let in than the queue holds."
    JOURNAL_GAP = "journal-gap", "Positions are missing, repeated or out of order, or time runs backwards."
    JOURNAL_MOVE = "journal-move", "The journal tells of a change that the life cycle does not have."
    STATE = "state", "The stored state is not what the journal leads to."
    RECOVERY = "recovery", "A dead worker's task was out of reach for longer than its lease and the bound."
    CRASH_LIMIT = "crash-limit", "A task that kills its workers was not buried in time, or one was buried too soon."


@dataclass(frozen=True)
class Tolerance:
    """What a judge allows for."""

    recovery_seconds: float = 2.0
    """How much later than its end a dead worker's lease may be taken back (99 of 100 of them)."""
    grace_seconds: float = 5.0
    """How long a worker may take to notice that its lease is over, on a busy machine."""
    handlers_stop: bool = False
    """Whether handlers can be stopped from outside, so that none goes on after its worker was told of the loss."""


@dataclass(frozen=True)
class Violation:
    """One broken promise."""

    check: Check
    queue: str
    task_id: str
    message: str

    def __str__(self) -> str:
        return f"{self.check.value}: {self.queue}/{self.task_id}: {self.message}"


@dataclass
class Violations:
    """All that was found: every one counted, the first few of each kind kept."""

    counts: Counter[Check] = field(default_factory=Counter)
    kept: list[Violation] = field(default_factory=list)

    def add(self, check: Check, queue: str, task_id: str, message: str) -> None:
        """Note a violation."""
        self.counts[check] += 1
        if self.counts[check] <= _KEPT:
            self.kept.append(Violation(check, queue, task_id, message))
