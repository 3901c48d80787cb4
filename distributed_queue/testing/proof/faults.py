"""What was broken on purpose, and what that excuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed_queue.testing.proof.records import Fault

_LASTING = 1.0
"""Seconds after its end for which a fault still excuses a process: until it has caught up."""


class Faults:
    """All faults of a history."""

    def __init__(self) -> None:
        self.workers: set[str] = set()
        """Processes that took work: what happened to one of them delays no other."""
        self.clocks_jumped = False
        """Times that processes wrote down cannot be compared with those of the storage."""
        self._faults: list[Fault] = []

    def __len__(self) -> int:
        return len(self._faults)

    def add(self, fault: Fault) -> None:
        """Note a fault."""
        self._faults.append(fault)
        self.clocks_jumped |= "clock" in fault.fault

    def excuse(self, process: str, begin: float, end: float) -> bool:
        """Whether the process may have been stopped in the middle of a step within this time."""
        return self.clocks_jumped or any(
            fault.target in {"", process}
            and not fault.between_steps
            and fault.begin <= end
            and begin <= fault.end + _LASTING
            for fault in self._faults
        )

    def over(self, begin: float, end: float) -> float:
        """When everything that kept all workers from working between ``begin`` and ``end`` was over; or ``begin``."""
        return max(
            (
                fault.end
                for fault in self._faults
                if fault.target not in self.workers and fault.begin <= end and begin <= fault.end
            ),
            default=begin,
        )
