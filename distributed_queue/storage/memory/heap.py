"""A priority queue whose entries may go stale: what is no longer true is skipped when it surfaces."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K", bound=tuple[object, ...])


class LazyHeap(Generic[K]):
    """A heap of keys, smallest first. ``valid`` tells whether a key still stands for something."""

    def __init__(self, valid: Callable[[K], bool]) -> None:
        self._valid = valid
        self._keys: list[K] = []
        self._compact_at = 1024

    def push(self, key: K) -> None:
        """Add a key. Stale keys are dropped whenever the heap has doubled, so they cannot pile up."""
        heappush(self._keys, key)
        if len(self._keys) >= self._compact_at:
            self._keys = [kept for kept in self._keys if self._valid(kept)]
            heapify(self._keys)
            self._compact_at = max(1024, 2 * len(self._keys))

    def peek(self) -> K | None:
        """The smallest valid key, left in place."""
        keys = self._keys
        while keys:
            if self._valid(keys[0]):
                return keys[0]
            heappop(keys)
        return None

    def until(self, end: K, limit: int) -> list[K]:
        """Valid keys below ``end``, at most ``limit``; the smallest is first, the others in no order. None is taken."""
        self.peek()
        keys, found, places = self._keys, list[K](), [0]
        while places and len(found) < limit:
            place = places.pop()
            if place < len(keys) and keys[place] < end:
                places += (2 * place + 1, 2 * place + 2)
                if self._valid(keys[place]):
                    found.append(keys[place])
        return found

    def pop(self) -> K | None:
        """The smallest valid key, taken out."""
        key = self.peek()
        if key is not None:
            heappop(self._keys)
        return key

    def clear(self) -> None:
        """Drop everything."""
        self._keys.clear()
