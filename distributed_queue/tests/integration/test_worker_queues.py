"""From which queues a worker takes first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from distributed_queue import HybridQueue, current_task
from distributed_queue.tests.steps import finished, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue import Task


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


def backlog(queue: HybridQueue, number: int) -> list[Task]:
    return [put(queue, {"type": "note"}, queue=name) for _ in range(number) for name in ("default", "mail")]


async def rest(_: object) -> None: ...


def order(queue: HybridQueue, tasks: list[Task], **options: object) -> list[str]:
    """The queues of the tasks in the order in which one worker, which may hold one task, has run them."""
    ran: list[str] = []
    # A worker that also has handlers on the event loop claims nothing in advance: each claim is of one task.
    handlers = {"note": lambda _: ran.append(current_task().queue), "other": rest}
    with running(queue, handlers=handlers, max_workers=1, queues=["mail", "default"], **options):
        finished(queue, tasks)
    return ran


def test_strict_order_takes_what_the_preferred_queue_leaves(queue: HybridQueue) -> None:
    assert order(queue, backlog(queue, 20)) == ["mail"] * 20 + ["default"] * 20


def test_weights_give_each_queue_its_share_while_both_have_a_backlog(queue: HybridQueue) -> None:
    ran = order(queue, backlog(queue, 100), queue_weights={"mail": 3})
    assert Counter(ran) == {"mail": 100, "default": 100}
    assert 20 <= Counter(ran[:100])["default"] <= 30


def test_a_queue_that_is_empty_does_not_hold_the_other(queue: HybridQueue) -> None:
    tasks = [put(queue, {"type": "note"}) for _ in range(20)]
    assert order(queue, tasks, queue_weights={"mail": 1000}) == ["default"] * 20
