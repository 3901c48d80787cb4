"""What processes and their children cost, as Linux tells in ``/proc``."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents = {int(folder.name): _fields(folder) for folder in PROC.iterdir() if folder.name.isdigit()}
    found = [pid]
    for parent in found:
        found.extend(child for child, fields in parents.items() if fields[1:2] == [str(parent)])
    return found


def used_seconds(pids: list[int]) -> float:
    """Processor time of processes, and of those children of theirs that have ended."""
    ticks = 0
    for pid in pids:
        ticks += sum(int(field) for field in _fields(PROC / str(pid))[11:15])
    return ticks / TICKS


def used_bytes(pids: list[int]) -> int:
    """Memory of processes; what several share is shared out among them."""
    total = 0
    for pid in pids:
        for line in _read(PROC / str(pid) / "smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def _fields(folder: Path) -> list[str]:
    """What ``stat`` says after the name, which may hold spaces and brackets itself."""
    return _read(folder / "stat").rpartition(")")[2].split()


def _read(path: Path) -> str:
    """The text, empty if the process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""
