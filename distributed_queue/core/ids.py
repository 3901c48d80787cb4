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
_STEP_MASK = (1 << 30) - 1
_TAIL_BITS = 48


class _IdSource:
    """Makes ids that ascend within the process.

    Of the 74 bits after the time, the first 26 are drawn at random each millisecond; the other 48, the tail, start at
    random and are counted up by a random step (RFC 9562, 6.2, method 2). So only the tail has to be formatted for each
    id. Random words of 32 bits are drawn from the system in blocks, since a draw costs more than an id.
    """

    _BLOCK_BYTES = 2048

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._head = ""
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
                self._tail += 1 + (self._draw() & _STEP_MASK)
                if self._tail >> _TAIL_BITS:
                    self._start(self._milliseconds + 1)
            return f"{self._head}{self._tail:012x}"

    def _start(self, milliseconds: int) -> None:
        time_digits, high = f"{milliseconds:012x}", self._draw()
        variant = 0x8000 | high & 0x3FFF
        self._milliseconds = milliseconds
        self._head = f"{time_digits[:8]}-{time_digits[8:]}-{_VERSION}{high >> 20:03x}-{variant:04x}-"
        # The top bit stays free, so that counting up rarely overflows.
        self._tail = self._draw() << 15 | self._draw() >> 17

    def _draw(self) -> int:
        """32 random bits."""
        if not self._random:
            self._random = memoryview(os.urandom(self._BLOCK_BYTES)).cast("I").tolist()
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
