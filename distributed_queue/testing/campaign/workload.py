"""The tasks of a campaign: drawn from the seed, batch by batch, so that a producer that was killed can go on."""

from __future__ import annotations

import random
import time
from typing import Any

from distributed_queue.core.task import Task

_SIZES = (1, 1, 1, 5, 20, 50, 100, 200, 200, 300)
_PRIORITIES = (0, 5, 5, 5, 9)
_QUEUES = ("open",) * 11 + ("limited",)
_KINDS: dict[str, float] = {"quick": 930, "short": 45, "flaky": 10, "snoozed": 10, "failing": 5}
"""What tasks do, and how often."""
SURVIVABLE = ("hog", "stuck", "endless", "greedy")
"""Hostile to a worker, which lives on."""
DEADLY = ("segfault", "exit", "fork")
"""Hostile to the whole process."""
_OF_ITS_OWN: dict[str, dict[str, Any]] = {
    "failing": {"max_retries": 1},
    "stuck": {"max_retries": 0, "timeout": 0.5},
    "endless": {"max_retries": 0, "timeout": 0.5},
    "greedy": {"max_retries": 0},
}
"""Policies of tasks of a kind."""


class Workload:
    """What one producer submits."""

    def __init__(self, seed: str, producer: str, hostile: tuple[str, ...], hostile_every: int) -> None:
        self._seed = seed
        self._producer = producer
        self._hostile = hostile
        self._hostile_every = hostile_every

    def batch(self, number: int) -> list[Task]:
        """The tasks of a batch: the same each time, except that times to come are counted from now."""
        chance = random.Random(f"{self._seed}/{self._producer}/{number}")  # noqa: S311 - to be repeatable is the point
        queue = chance.choice(_QUEUES)
        kinds = chance.choices(list(_KINDS), list(_KINDS.values()), k=chance.choice(_SIZES))
        return [
            self._task(chance, queue, f"{self._producer}-{number}-{place}", kind) for place, kind in enumerate(kinds)
        ]

    def cancelled(self, number: int) -> int | None:
        """The place in a batch of a task that its producer cancels after all; None for most batches."""
        chance = random.Random(f"{self._seed}/{self._producer}/{number}/cancelled")  # noqa: S311
        return 0 if chance.random() < 0.05 else None

    def _task(self, chance: random.Random, queue: str, task_id: str, kind: str) -> Task:
        if self._hostile and chance.randrange(self._hostile_every) == 0:
            kind = chance.choice(self._hostile)
        rare = chance.random()
        return Task(
            chance.choice(_PRIORITIES),
            {"type": kind, "data": round(chance.uniform(0.0, 0.05), 4)},
            task_id=task_id,
            queue=queue,
            delay=round(chance.uniform(0.05, 2.0), 3) if rare < 0.02 else None,
            execute_after=round(time.time() + 1.0, 3) if 0.02 < rare < 0.03 else None,
            expires_at=round(time.time() + 5.0, 3) if 0.03 < rare < 0.035 else None,
            **_OF_ITS_OWN.get(kind, {}),
        )
