"""A task that kills its workers again and again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import Task
from distributed_queue.testing.campaign.members import Crew, ProcessMember
from distributed_queue.testing.campaign.programs import Spec, work

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(180), pytest.mark.chaos]

PILL = "t100"
LIMIT = 120.0


def test_a_task_that_kills_its_workers_takes_no_others_with_it(tmp_path: Path, sqlite_url: str) -> None:
    spec = Spec(
        "worker", "", sqlite_url, tmp_path, lease_seconds=0.5, slots=4, rate=0, seed="", hostile=(), hostile_every=1
    )
    with HybridQueue.from_url(sqlite_url) as queue:
        queue.enqueue([quick_or_deadly(f"t{number}") for number in range(400)])
        crew = Crew([ProcessMember(spec, work)], [])
        crew.start()
        try:
            drain(queue, crew)
        finally:
            crew.kill()
        (dead,) = queue.find(status=TaskStatus.DEAD)
        assert (dead.task_id, dead.reason, dead.crashes) == (PILL, "crashed", 3)
        assert counts(queue)[TaskStatus.COMPLETED] == 399


def quick_or_deadly(task_id: str) -> Task:
    return Task(1, {"type": "segfault" if task_id == PILL else "quick", "data": 0.0}, task_id=task_id)


def counts(queue: HybridQueue) -> dict[TaskStatus, int]:
    (stats,) = queue.queue_stats("default")
    return stats.counts


def drain(queue: HybridQueue, crew: Crew) -> None:
    """Start the worker again each time that it dies, as a supervisor does."""
    end = time.monotonic() + LIMIT
    while queue.size() or counts(queue)[TaskStatus.PROCESSING]:
        assert time.monotonic() < end
        crew.revive()
        time.sleep(0.02)
