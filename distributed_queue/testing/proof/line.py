"""The line of ready tasks, and the limits on how many of them may start."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from distributed_queue.testing.proof.model import UNKNOWN_PRIORITY

if TYPE_CHECKING:
    from distributed_queue.testing.proof.model import ModelTask
    from distributed_queue.testing.proof.records import Settings

_TOLERANCE = 0.001


class Line:
    """Ready tasks in the order in which they have to be claimed."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str, ModelTask]] = []
        self._sequence = 0

    def join(self, task_id: str, task: ModelTask) -> None:
        """It became ready: it stands behind all others of its priority."""
        self._sequence += 1
        task.sequence = self._sequence
        self.stand(task_id, task)

    def stand(self, task_id: str, task: ModelTask) -> None:
        """It takes its old place."""
        if task.priority != UNKNOWN_PRIORITY:
            heappush(self._heap, (task.priority, task.sequence, task_id, task))

    def overtaken(self, claimed: ModelTask) -> str | None:
        """The id of a task that stands in front of one that is being claimed, if there is one."""
        heap = self._heap
        while heap:
            priority, sequence, task_id, task = heap[0]
            if task.status == "pending" and task.priority == priority and task.sequence == sequence:
                return task_id if (priority, sequence) < (claimed.priority, claimed.sequence) else None
            heappop(heap)
        return None


class Rate:
    """A limit on starts per second, as the generic cell rate algorithm has it."""

    def __init__(self, settings: Settings) -> None:
        rate = settings.rate_limit
        self._interval = 0.0 if rate is None else 1.0 / rate
        burst = settings.rate_burst or max(1, int(rate or 1))
        self._room = self._interval * (burst - 1) + _TOLERANCE
        self._due = 0.0

    def start(self, at: float) -> bool:
        """Note a start; False if there should have been none."""
        allowed = at >= self._due - self._room
        self._due = max(self._due, at) + self._interval
        return allowed
