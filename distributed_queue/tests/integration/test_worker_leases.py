"""Leases of workers: renewed while a handler runs, and what happens where they are lost."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import TaskStatus
from distributed_queue.core.storage import ClaimRequest, LeaseState, Outcome, Settlement
from distributed_queue.errors import LeaseLost, StorageUnavailable
from distributed_queue.tests.steps import LIMIT, between, changes, finished, look, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed_queue.core.storage import Lease

LEASE = 0.5
"""Seconds: short, and still longer than a busy machine makes a thread wait."""


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


class Running:
    """Handlers that run until they are let go, and remember how they were told to stop."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.told: list[BaseException] = []
        self.told_at = 0.0
        self.stopped = threading.Event()

    def plain(self, _: object) -> str:
        self.begun.set()
        end = time.monotonic() + LIMIT
        try:
            while not self.go_on.is_set() and time.monotonic() < end:
                time.sleep(0)
        except BaseException as error:
            self._note(error)
            raise
        return "done"

    async def on_loop(self, _: object) -> str:
        self.begun.set()
        try:
            await asyncio.to_thread(self.go_on.wait, LIMIT)
        except BaseException as error:
            self._note(error)
            raise
        return "done"

    def _note(self, error: BaseException) -> None:
        self.told.append(error)
        self.told_at = time.time()
        self.stopped.set()


def expired(queue: HybridQueue) -> int:
    return sum(change.event == "lease_expired" for change in changes(queue))


@pytest.mark.parametrize("kind", ["plain", "on_loop"])
def test_a_handler_that_outlasts_its_lease_many_times_is_completed_once(queue: HybridQueue, kind: str) -> None:
    handler = Running()
    rival = ClaimRequest(("default",), "rival", 1, 30.0)
    with running(queue, handlers={"default": getattr(handler, kind)}, lease_seconds=LEASE):
        task = put(queue)
        assert handler.begun.wait(LIMIT)
        end = time.monotonic() + 4 * LEASE
        while time.monotonic() < end:
            assert queue.storage.claim(rival).tasks == []
            queue.storage.wait(["default"], LEASE / 5)
        handler.go_on.set()
        (done,) = finished(queue, [task])
    assert (done.status, done.attempt, done.crashes) == (TaskStatus.COMPLETED, 1, 0)
    assert expired(queue) == 0


def test_the_visibility_timeout_bounds_the_lease(storage_url: str) -> None:
    handler = Running()
    with (
        HybridQueue.from_url(storage_url, visibility_timeout=LEASE) as queue,
        running(queue, handlers={"default": handler.plain}),
    ):
        task = put(queue)
        assert handler.begun.wait(LIMIT)
        (stored,) = queue.storage.get([task.task_id])
        assert stored is not None
        assert between(time.time(), stored.lease_expires_at) <= LEASE
        handler.go_on.set()
        assert queue.wait_result(task.task_id, LIMIT) == "done"


@pytest.mark.parametrize("kind", ["plain", "on_loop"])
def test_a_worker_that_cannot_renew_stops_the_handler_before_the_lease_ends(
    queue: HybridQueue, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Running()

    def away(leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        raise StorageUnavailable(queue.storage.url, "not for the keeper")

    monkeypatch.setattr(queue.storage, "extend", away)
    with running(queue, handlers={"default": getattr(handler, kind)}, lease_seconds=2.0, max_workers=1) as worker:
        task = put(queue)
        assert handler.begun.wait(LIMIT)
        (stored,) = queue.storage.get([task.task_id])
        assert stored is not None
        assert stored.lease_expires_at is not None
        assert handler.stopped.wait(LIMIT)
        assert handler.told_at <= stored.lease_expires_at
        assert isinstance(handler.told[0], LeaseLost if kind == "plain" else asyncio.CancelledError)
        monkeypatch.undo()
        handler.go_on.set()
        (done,) = finished(queue, [task])
        assert (done.status, done.attempt, done.crashes, done.retry_count) == (TaskStatus.COMPLETED, 2, 1, 0)
        assert worker.get_stats()["lost"] == 1


def test_a_worker_that_was_overtaken_is_told_and_its_outcome_dropped(
    queue: HybridQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's process is frozen past its lease, as far as the storage sees it, and another takes the task."""
    handler = Running()
    extend, frozen = queue.storage.extend, threading.Event()

    def late(leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        return [LeaseState.HELD] * len(leases) if not frozen.is_set() else extend(leases, lease_seconds)

    monkeypatch.setattr(queue.storage, "extend", late)
    with running(queue, handlers={"default": handler.plain}, lease_seconds=LEASE, queues=["default"]) as worker:
        task = put(queue)
        assert handler.begun.wait(LIMIT)
        worker.pause()
        taken: list[Any] = []
        end = time.monotonic() + LIMIT
        while not taken and time.monotonic() < end:
            taken = queue.storage.claim(ClaimRequest(("default",), "rival", 1, 60.0)).tasks
            queue.storage.wait(["default"], 0.02)
        frozen.set()
        assert handler.stopped.wait(LIMIT)
        assert isinstance(handler.told[0], LeaseLost)
        (rival,) = taken
        assert rival.attempt == 2
        settlement = Settlement("default", rival.id, rival.attempt, Outcome.COMPLETE)
        assert queue.storage.settle([settlement]) == [True]
        assert worker.get_stats()["processed"] == 0
    done = look(queue, task)
    assert (done.status, done.attempt, done.result) == (TaskStatus.COMPLETED, 2, None)


def test_finished_work_keeps_its_lease_until_it_is_reported(
    queue: HybridQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, tries = queue.storage.exchange, iter(range(1000))

    def away_for_a_while(settlements: Sequence[Settlement], request: ClaimRequest | None) -> Any:
        if settlements and next(tries) < 4:
            raise StorageUnavailable(queue.storage.url, "not for the pump")
        return exchange(settlements, request)

    monkeypatch.setattr(queue.storage, "exchange", away_for_a_while)
    with running(queue, handlers={"default": lambda _: "done"}, lease_seconds=LEASE, poll_interval=0.2):
        task = put(queue)
        assert queue.wait_result(task.task_id, LIMIT) == "done"
    assert look(queue, task).attempt == 1
    assert expired(queue) == 0
