"""The journal of one queue: the latest entries, bounded by size and age."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from distributed_queue.core.storage import Change, JournalEntry, QueueConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY_BYTES = 64
_CHANGE_BYTES = 64


class MemoryJournal:
    """Entries 1, 2, 3 … of which the oldest are dropped."""

    def __init__(self) -> None:
        self.tail = 0
        self._entries: deque[JournalEntry] = deque()
        self._bytes = 0

    def append(self, at: float, changes: list[Change], config: QueueConfig) -> None:
        """Add one step's changes, and drop what is too old or too much."""
        self.tail += 1
        entry = JournalEntry(self.tail, at, changes)
        self._entries.append(entry)
        self._bytes += _size(entry)
        while self._entries and (
            self._bytes > config.journal_max_bytes or self._entries[0].at < at - config.journal_max_age
        ):
            self._bytes -= _size(self._entries.popleft())

    def after(self, position: int, limit: int) -> list[JournalEntry]:
        """Up to ``limit`` entries above ``position``."""
        if position >= self.tail or not self._entries:
            return []
        skipped = max(0, position + 1 - self._entries[0].position)
        return list(islice(self._from(skipped), limit))

    def _from(self, index: int) -> Iterator[JournalEntry]:
        return islice(self._entries, index, None)


def _size(entry: JournalEntry) -> int:
    """About what an entry takes, in bytes."""
    return _ENTRY_BYTES + sum(_CHANGE_BYTES + len(change.task_id) for change in entry.changes)
