"""Task ids: UUIDv7 (RFC 9562, 5.7), so that ids sort by age and need no coordination."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable

_VERSION = 7
_VARIANT = 0b10 << 62
_MASK_62 = (1 << 62) - 1
_MASK_48 = (1 << 48) - 1


class _IdSource:
    """Makes ids that ascend within the process.

    Within a millisecond, the 74 bits after the time start at random and are counted up by a random step (RFC 9562,
    6.2, method 2). Random bits are drawn from the system in blocks, since a draw costs more than an id.
    """

    _BLOCK = 256

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._prefix = ""
        self._tail = 0
        self._random: list[int] = []
        # A forked child must not go on with its parent's bits.
        os.register_at_fork(after_in_child=self._forget)

    def next(self) -> str:
        with self._lock:
            milliseconds = time.time_ns() // 1_000_000
            if milliseconds > self._milliseconds:
                self._start(milliseconds)
            else:
                # Also when the clock was set back: go on from the latest time seen.
                self._tail += 1 + (self._draw() >> 34)
                if self._tail >> 74:
                    self._start(self._milliseconds + 1)
            tail, prefix = self._tail, self._prefix
        low = tail & _MASK_62 | _VARIANT
        return f"{prefix}{tail >> 62:03x}-{low >> 48:04x}-{low & _MASK_48:012x}"

    def _start(self, milliseconds: int) -> None:
        digits = f"{milliseconds:012x}"
        self._milliseconds = milliseconds
        self._prefix = f"{digits[:8]}-{digits[8:]}-7"
        # The top bit stays free, so that counting up rarely overflows.
        self._tail = self._draw() << 9

    def _draw(self) -> int:
        """64 random bits."""
        if not self._random:
            block = os.urandom(8 * self._BLOCK)
            self._random = [int.from_bytes(block[i : i + 8], "little") for i in range(0, len(block), 8)]
        return self._random.pop()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._random = []


new_task_id: Callable[[], str] = _IdSource().next
"""A new id in text form, ascending within the process."""


def id_time(task_id: str) -> float | None:
    """Seconds since the epoch at which a UUIDv7 id was made, or None for other ids."""
    try:
        value = UUID(task_id)
    except ValueError:
        return None
    return (value.int >> 80) / 1000 if value.version == _VERSION else None
