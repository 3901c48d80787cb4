"""When what happened in a round: how soon work went on after the storage was back, and how soon workers stopped."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distributed_queue.testing.campaign.faults.processes import STOP
from distributed_queue.testing.proof import read_history
from distributed_queue.testing.proof.records import Fault, Journalled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass
class Events:
    """Completions, by the journal, and faults, both in order of time."""

    completions: list[float]
    faults: list[Fault]

    @classmethod
    def read(cls, history: Path) -> Events:
        """From what the campaign itself wrote down."""
        completions: list[float] = []
        faults: list[Fault] = []
        for record in read_history([history]):
            if isinstance(record, Journalled):
                if any(change[0] == "completed" for change in record.changes):
                    completions.append(record.at)
            elif isinstance(record, Fault):
                faults.append(record)
        return cls(sorted(completions), sorted(faults, key=lambda fault: fault.begin))

    def resumptions(self, returns: Iterable[float]) -> tuple[list[float], int]:
        """Seconds from each return of the storage to the next completion; and how often it failed again before one."""
        failures = [fault.begin for fault in self.faults if not fault.target]
        resumed, cut_short = [], 0
        for back in returns:
            done = _next(self.completions, back)
            if done > _next(failures, back):
                cut_short += 1
            else:
                resumed.append(round(done - back, 3))
        return resumed, cut_short

    def stops(self) -> list[float]:
        """Seconds that workers took to stop, where the storage was well all the time."""
        troubles = [fault for fault in self.faults if not fault.target]
        return [
            round(fault.end - fault.begin, 3)
            for fault in self.faults
            if fault.fault == STOP
            and not any(trouble.begin < fault.end and fault.begin < trouble.end for trouble in troubles)
        ]


def _next(times: Sequence[float], after: float) -> float:
    index = bisect_left(times, after)
    return times[index] if index < len(times) else float("inf")
