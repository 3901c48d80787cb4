"""A worker that is given a task so late that the lease is over already."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task, TaskStatus
from distributed_queue.core.worker import current_task
from distributed_queue.tests.steps import finished, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import Exchange, Storage

LEASE_SECONDS = 0.4


class SlowAnswers:
    """Holds back the first answer that has tasks until their leases are over."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._never = threading.Event()
        self._held_back = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def exchange(self, *arguments: Any) -> Exchange:
        answer = self._storage.exchange(*arguments)
        if answer.claim.tasks and not self._held_back:
            self._held_back = True
            self._never.wait(LEASE_SECONDS)
        return answer


def plain() -> tuple[list[int], Callable[[Any], object]]:
    ran: list[int] = []
    return ran, lambda _: ran.append(current_task().attempt)


def on_the_loop() -> tuple[list[int], Callable[[Any], object]]:
    ran: list[int] = []

    async def handler(_: Any) -> None:
        ran.append(current_task().attempt)

    return ran, handler


@pytest.mark.parametrize("kind", [plain, on_the_loop])
def test_no_handler_starts_when_its_lease_is_over(
    kind: Callable[[], tuple[list[int], Callable[[Any], object]]],
) -> None:
    ran, handler = kind()
    with HybridQueue.from_url("memory://") as queue:
        queue.storage = cast("Storage", SlowAnswers(queue.storage))
        task = Task(5, {"type": "x"})
        queue.put(task)
        began = time.monotonic()
        with running(queue, handlers={"x": handler}, lease_seconds=LEASE_SECONDS):
            (done,) = finished(queue, [task])
        assert time.monotonic() - began >= LEASE_SECONDS
    assert done.status is TaskStatus.COMPLETED
    assert 1 not in ran
    assert len(ran) == 1
