"""A queue within one step: its settings, counts and limits, and what the step does to them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from distributed_queue.core import counters
from distributed_queue.core.config import read_config, tell_unreadable
from distributed_queue.core.lifecycle import WAITING, WORDS
from distributed_queue.core.limits import RateDecision, concurrency_room, default_burst, gcra
from distributed_queue.core.storage import Change, QueueConfig
from distributed_queue.storage.sqlite.rows import CODE, PENDING, PROCESSING

if TYPE_CHECKING:
    from distributed_queue.core.lifecycle import Event
    from distributed_queue.storage.sqlite.rows import TaskRow

_WAITING = tuple(CODE[state] for state in WAITING)
_UNFINISHED = (*_WAITING, PROCESSING)


class Horizon(NamedTuple):
    """The next moments of a queue in milliseconds; None: none is foreseen. The columns of ``horizon.sql``."""

    lease: int | None
    scheduled: int | None
    retrying: int | None
    expiring: int | None = None

    @property
    def due(self) -> int | None:
        """When the next scheduled or retrying task is due."""
        times = [time for time in (self.scheduled, self.retrying) if time is not None]
        return min(times, default=None)


class Queue:
    """A row of ``queue_rows``, and the changes and counters of the step in progress."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        # A row is of mixed types, and its table is STRICT.
        self.key: int = row[0]
        self.name: str = row[1]
        self.config = decode_config(row[2])
        self.sequence: int = row[3]
        self.tat_ms: float = row[4]
        self.journal_tail: int = row[5]
        self.journal_bytes: int = row[6]
        self.counts: list[int] = list(row[7:])
        """Tasks by state code."""
        self.changes: list[Change] = []
        self.counted: dict[tuple[str, str], int] = {}
        """What to add to each counter, by what and type."""
        self._row = row
        self._config = self.config

    def values(self) -> tuple[Any, ...]:
        """The row as it should be, from its third column on."""
        config = self._row[2] if self.config is self._config else encode_config(self.config)
        return (config, self.sequence, self.tat_ms, self.journal_tail, self.journal_bytes, *self.counts)

    @property
    def dirty(self) -> bool:
        """Whether the row has to be written."""
        return self.values() != self._row[2:]

    # What the limits say

    @property
    def depth(self) -> int:
        """Tasks that have still to run."""
        return sum(self.counts[state] for state in _WAITING)

    @property
    def promising(self) -> bool:
        """Whether a claim may give something, now or later."""
        return any(self.counts[state] for state in _UNFINISHED)

    def room(self, wanted: int) -> int:
        """How many tasks pause, concurrency and backlog let through, rate aside."""
        if self.config.paused:
            return 0
        room = concurrency_room(self.counts[PROCESSING], self.config.concurrency)
        return min(wanted, self.counts[PENDING], wanted if room is None else room)

    def rate_decision(self, now_ms: int, wanted: int) -> RateDecision:
        """``gcra`` for this queue."""
        rate = self.config.rate_limit
        if rate is None:
            return RateDecision(wanted, self.tat_ms, 0.0)
        return gcra(now_ms, self.tat_ms, wanted, rate, self.config.rate_burst or default_burst(rate))

    def claimable(self, now_ms: int, horizon: Horizon) -> bool:
        """Whether a claim would give, or change, something now."""
        if horizon.lease is not None and horizon.lease <= now_ms:
            return True
        if self.config.paused:
            return False
        due = horizon.due
        if due is not None and due <= now_ms:
            return True
        return self.room(1) > 0 and self.rate_decision(now_ms, 1).allowed > 0

    def next_due_ms(self, now_ms: int, horizon: Horizon) -> float | None:
        """When claiming again may give more, in milliseconds from now; None if nothing is foreseen."""
        foreseen: list[float] = []
        if horizon.lease is not None:
            foreseen.append(horizon.lease - now_ms)
        due = horizon.due
        if due is not None and not self.config.paused:
            foreseen.append(due - now_ms)
        if self.room(1):
            foreseen.append(self.rate_decision(now_ms, 0).retry_ms)
        return max(0.0, min(foreseen)) if foreseen else None

    # Bookkeeping

    def next_sequence(self) -> int:
        """The place at the end of the line."""
        self.sequence += 1
        return self.sequence

    def move(self, row: TaskRow, state: int) -> None:
        """Change a task's state and the counts."""
        self.counts[row.state] -= 1
        self.counts[state] += 1
        row.state = state

    def record(self, event: Event, row: TaskRow, detail: str = "") -> None:
        """Note a task's change for the journal entry of this step."""
        self.changes.append(Change(WORDS[event], row.id, row.attempt, detail))

    def record_own(self, event: Event) -> None:
        """Note a change of the queue itself."""
        self.changes.append(Change(event.value))

    def count(self, what: str, task_type: str = "", by: int = 1) -> None:
        """Add to a counter."""
        key = (what, task_type)
        self.counted[key] = self.counted.get(key, 0) + by

    def observe(self, what: str, task_type: str, milliseconds: int) -> None:
        """Add to a histogram."""
        milliseconds = max(0, milliseconds)
        self.count(counters.bucket_of(what, milliseconds), task_type)
        self.count(counters.SUMS[what], task_type, milliseconds)


@lru_cache(maxsize=1024)
def decode_config(text: str) -> QueueConfig:
    """Settings from the table, as far as they can be read."""
    try:
        return read_config(msgspec.json.decode(text, type=dict[str, Any]))
    except msgspec.DecodeError as error:
        tell_unreadable("(all)", f"{text!r:.100}", str(error))
        return QueueConfig()


def encode_config(config: QueueConfig) -> str:
    """Settings for the table."""
    return msgspec.json.encode(config).decode()
