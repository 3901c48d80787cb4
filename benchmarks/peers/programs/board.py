"""What a handler leaves for the driver to see: how many tasks ran, and how late they were.

Each process of a worker has a file of its own in the folder ``PEERS_BOARD``, mapped into its memory: to count a task
takes no system call, and the driver sees it at once. It needs nothing but the standard library, for it runs in the
environments of all peers. A file is one integer, the number of tasks, and after it the seconds that each of the last
tasks was late.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from pathlib import Path

LATENCIES = 1 << 14
WORD = 8


class Board:
    """The file of this process."""

    def __init__(self, path: Path) -> None:
        size = WORD * (1 + LATENCIES)
        with path.open("wb+") as file:
            file.truncate(size)
            whole = memoryview(mmap.mmap(file.fileno(), size))
        self._count = whole[:WORD].cast("Q")
        self._latencies = whole[WORD:].cast("d")
        self._lock = threading.Lock()

    def ran(self, latency: float = 0.0) -> None:
        """Another task ran."""
        with self._lock:
            number = self._count[0]
            self._latencies[number % LATENCIES] = latency
            self._count[0] = number + 1


_boards: dict[int, Board] = {}
_making = threading.Lock()


def _board() -> Board:
    """That of this process: a child that was forked makes one of its own."""
    pid = os.getpid()
    if pid not in _boards:
        with _making:
            if pid not in _boards:
                _boards[pid] = Board(Path(os.environ["PEERS_BOARD"]) / str(pid))
    return _boards[pid]


def noop(data: str) -> str | None:
    """The handler that is measured: counts, and gives its data back where results are kept."""
    _board().ran()
    return data if os.environ["PEERS_RESULTS"] == "1" else None


def timed(sent_at: float) -> None:
    """The handler that tells how long its task was under way. The monotonic clock is one for the whole machine."""
    _board().ran(time.monotonic() - sent_at)
