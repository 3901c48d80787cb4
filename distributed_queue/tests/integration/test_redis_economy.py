"""What a Redis is asked for: memory a task, commands while nothing happens, and wake-ups."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as StillWaiting
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
import redis

from distributed_queue.core.ids import new_task_id
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import NewTask
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.testing.builders import Q, complete, request
from distributed_queue.testing.steps import claim, claim_ids, claim_one, enqueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.testing.servers import RedisServer

LIMIT = 20.0
MAX_TASK_BYTES = 320
BODY = b"x" * 62


@pytest.fixture
def storage(redis_url: str) -> Iterator[RedisStorage]:
    storage = RedisStorage.from_url(redis_url)
    yield storage
    storage.close()


@pytest.fixture
def admin(redis_server: RedisServer) -> Iterator[Any]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


def settle_down(future: Future[Any]) -> None:
    """Let a thread get to where it waits."""
    with pytest.raises(StillWaiting):
        future.result(0.1)


@pytest.mark.parametrize("task_type", ["mail", "default"])
def test_a_queued_task_takes_little_memory(storage: RedisStorage, admin: Any, task_type: str) -> None:
    storage.configure("default", {"journal": False})
    before = admin.info("memory")["used_memory"]
    count = 30_000
    for _ in range(count // 1000):
        storage.enqueue([NewTask(new_task_id(), "default", task_type, 100, BODY) for _ in range(1000)])
    assert (admin.info("memory")["used_memory"] - before) / count <= MAX_TASK_BYTES


def test_finished_tasks_and_the_journal_stay_within_their_bounds(storage: RedisStorage, admin: Any) -> None:
    storage.configure(Q, {"retention_count": 100, "journal_max_bytes": 20_000})
    for number in range(100):
        enqueue(storage, *(f"{number}-{each}" for each in range(20)))
        storage.settle([complete(task) for task in claim(storage)])
    assert storage.stats([Q])[0].counts[TaskStatus.COMPLETED] == 100
    assert admin.memory_usage(f"dq:{{{Q}}}:journal", samples=0) < 40_000
    assert admin.dbsize() < 130


def test_tasks_of_many_queues_are_claimed_and_settled_in_few_round_trips(storage: RedisStorage, admin: Any) -> None:
    names = [f"q{number}" for number in range(100)]
    for name in names:
        enqueue(storage, "t1", "t2", queue=name)
    storage.claim(request("x", "y"))  # so that the server knows the scripts
    before = admin.info("stats")["total_reads_processed"]
    tasks = storage.claim(request(*names, limit=150)).tasks
    settled = storage.exchange([complete(task) for task in tasks], request(*names, limit=150)).settled
    # A batch may arrive in several pieces; one trip a queue would be four hundred.
    assert admin.info("stats")["total_reads_processed"] - before < 100
    assert len(tasks) == len(settled) == 150
    assert all(settled)


class TestWaiting:
    """Markers: who is woken, and what it costs that nobody is."""

    def test_one_arrival_wakes_one_of_two(self, storage: RedisStorage) -> None:
        with ThreadPoolExecutor() as threads:
            futures = [threads.submit(storage.wait, [Q], LIMIT) for _ in range(2)]
            for future in futures:
                settle_down(future)
            enqueue(storage, "t1")
            (first,), (second,) = wait(futures, LIMIT, FIRST_COMPLETED)
            assert first.result() == (Q,)
            assert claim_ids(storage) == ["t1"]
            settle_down(second)
            enqueue(storage, "t2")
            assert second.result(LIMIT) == (Q,)

    @pytest.mark.parametrize(
        "hold",
        [
            lambda storage: storage.pause(Q),
            lambda storage: storage.configure(Q, {"concurrency": 0}),
            lambda storage: storage.configure(Q, {"rate_limit": 0.001}) and claim_ids(storage, limit=1),
            lambda storage: storage.clear(Q),
        ],
        ids=["paused", "no concurrency", "rate used up", "empty"],
    )
    def test_a_waiter_is_idle_where_nothing_can_be_claimed(
        self, storage: RedisStorage, admin: Any, hold: Callable[[RedisStorage], object]
    ) -> None:
        enqueue(storage, *"abcdef")
        hold(storage)
        started = admin.info("stats")["total_commands_processed"]
        assert storage.wait([Q], 1.0) == ()
        assert admin.info("stats")["total_commands_processed"] - started < 40

    def test_resuming_wakes_a_waiter(self, storage: RedisStorage) -> None:
        storage.pause(Q)
        enqueue(storage, "t1")
        with ThreadPoolExecutor() as threads:
            future = threads.submit(storage.wait, [Q], LIMIT)
            settle_down(future)
            storage.resume(Q)
            assert future.result(LIMIT) == (Q,)

    def test_lifting_a_rate_limit_wakes_a_waiter(self, storage: RedisStorage) -> None:
        storage.configure(Q, {"rate_limit": 0.001})
        enqueue(storage, "t1", "t2")
        claim_one(storage)
        with ThreadPoolExecutor() as threads:
            future = threads.submit(storage.wait, [Q], LIMIT)
            settle_down(future)
            storage.configure(Q, {"rate_limit": None})
            assert future.result(LIMIT) == (Q,)

    def test_wake_is_prompt(self, storage: RedisStorage) -> None:
        with ThreadPoolExecutor() as threads:
            seconds = []
            for _ in range(5):
                future = threads.submit(storage.wait, [Q], LIMIT)
                settle_down(future)
                started = time.monotonic()
                storage.wake()
                assert future.result(LIMIT) == ()
                seconds.append(time.monotonic() - started)
        assert median(seconds) < 0.05

    def test_a_delayed_task_is_found_at_its_time_though_the_server_ticks_slowly(self, storage: RedisStorage) -> None:
        lateness = []
        for number in range(9):
            enqueue(storage, f"t{number}", delay=0.137)
            due = storage.get([f"t{number}"], Q)[0]
            assert storage.wait([Q], LIMIT) == (Q,)
            (task,) = storage.claim(request()).tasks
            assert due is not None
            assert due.due_at is not None
            lateness.append(task.claimed_at - due.due_at)
        assert min(lateness) >= 0
        assert median(lateness) < 0.03

    @pytest.mark.slow
    def test_a_wake_up_that_died_with_its_client_costs_seconds_not_the_task(
        self, storage: RedisStorage, redis_server: RedisServer
    ) -> None:
        thief = redis.Redis(port=redis_server.port)
        stealing = threading.Thread(target=thief.bzpopmin, args=(f"dq:{{{Q}}}:wake", LIMIT))
        stealing.start()
        with ThreadPoolExecutor() as threads:
            time.sleep(0.1)  # the thief is served first because it was first
            future = threads.submit(storage.wait, [Q], LIMIT)
            settle_down(future)
            enqueue(storage, "t1")
            stealing.join(LIMIT)
            assert future.result(LIMIT / 2) == (Q,)
        thief.close()
