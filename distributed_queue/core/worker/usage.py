"""What a process takes of its host."""

from __future__ import annotations

import os
import time
from pathlib import Path


def resident_bytes(pid: int | None = None) -> int:
    """The memory that a process has now, without one this process itself; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid or 'self'}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0


class CpuShare:
    """How much processor time this process takes."""

    def __init__(self) -> None:
        self._used, self._at = time.process_time(), time.monotonic()
        self._share = 0.0

    def measure(self) -> float:
        """Seconds of it for each second since the last call: 1.5 are one and a half processors."""
        used, at = time.process_time(), time.monotonic()
        if at > self._at:
            self._share = (used - self._used) / (at - self._at)
            self._used, self._at = used, at
        return self._share
