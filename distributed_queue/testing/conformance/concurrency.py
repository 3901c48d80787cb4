"""Many threads and two clients at once: each task to one worker, nothing lost, no limit exceeded."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.errors import QueueFull
from distributed_queue.testing.builders import Q, complete, request, retry
from distributed_queue.testing.steps import claim, claim_one, counter, enqueue, stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import ClaimedTask, Settlement, Storage

T = TypeVar("T")
THREADS = 8


def at_once(work: Callable[[int], T]) -> list[T]:
    """What ``work`` gives in each of several threads that start together."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> T:
        start.wait(10)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


class TestConcurrency:
    """All verbs, from several threads and clients."""

    def test_no_task_is_claimed_twice(self, storage: Storage, second_storage: Storage) -> None:
        ids = [f"t{number}" for number in range(400)]
        enqueue(storage, *ids)

        def drain(number: int) -> list[ClaimedTask]:
            client = [storage, second_storage][number % 2]
            taken: list[ClaimedTask] = []
            while batch := claim(client, limit=1 + number, worker=f"w{number}"):
                taken += batch
            return taken

        taken = [task for part in at_once(drain) for task in part]
        assert Counter(task.id for task in taken) == dict.fromkeys(ids, 1)
        assert {task.attempt for task in taken} == {1}

    def test_an_id_is_stored_for_one_of_those_who_enqueue_it(self, storage: Storage, second_storage: Storage) -> None:
        ids = [f"t{number}" for number in range(100)]
        answers = at_once(lambda number: enqueue([storage, second_storage][number % 2], *ids))
        assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 100
        assert stats(storage).depth == 100

    def test_an_attempt_is_settled_by_one_of_those_who_try(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(storage, "t1")
        task = claim_one(storage)

        def settle(number: int) -> bool:
            client = [storage, second_storage][number % 2]
            return client.settle([complete(task) if number < THREADS // 2 else retry(task, 500)])[0]

        counted = at_once(settle)
        completed = stats(storage).counts[TaskStatus.COMPLETED] == 1
        half = THREADS // 2
        assert counted == [completed] * half + [not completed] * half

    def test_everything_that_goes_in_comes_out_once(self, storage: Storage, second_storage: Storage) -> None:
        each, finished = 60, threading.Event()
        done: Counter[str] = Counter()
        lock = threading.Lock()

        def produce(number: int) -> None:
            for index in range(each):
                enqueue(storage, f"t{number}-{index}")

        def work(number: int) -> None:
            client = [storage, second_storage][number % 2]
            settlements: list[Settlement] = []
            while not finished.is_set():
                answer = client.exchange(settlements, request(limit=5, worker=f"w{number}"))
                with lock:
                    for settlement, counted in zip(settlements, answer.settled, strict=True):
                        done[settlement.id] += counted
                    if done.total() >= each * THREADS // 2:
                        finished.set()
                settlements = [complete(task) for task in answer.claim.tasks]

        at_once(lambda number: produce(number) if number < THREADS // 2 else work(number))
        assert set(done.values()) == {1}
        assert len(done) == each * THREADS // 2
        assert counter(storage, "attempts.succeeded|mail") == each * THREADS // 2

    def test_the_concurrency_limit_is_never_exceeded(self, storage: Storage, second_storage: Storage) -> None:
        storage.configure(Q, {"concurrency": 5})
        enqueue(storage, *(f"t{number}" for number in range(100)))
        taken = at_once(lambda number: claim([storage, second_storage][number % 2], limit=3))
        assert sum(len(part) for part in taken) == 5

    def test_the_rate_limit_is_never_exceeded(self, storage: Storage, second_storage: Storage) -> None:
        storage.configure(Q, {"rate_limit": 7})
        enqueue(storage, *(f"t{number}" for number in range(100)))
        taken = at_once(lambda number: claim([storage, second_storage][number % 2], limit=3))
        assert sum(len(part) for part in taken) == 7

    def test_the_size_limit_is_never_exceeded(self, storage: Storage, second_storage: Storage) -> None:
        storage.configure(Q, {"max_size": 25})

        def fill(number: int) -> int:
            client, stored = [storage, second_storage][number % 2], 0
            for index in range(10):
                try:
                    stored += sum(enqueue(client, f"t{number}-{index}a", f"t{number}-{index}b"))
                except QueueFull:
                    continue
            return stored

        assert sum(at_once(fill)) == 24
        assert stats(storage).depth == 24

    def test_the_journal_has_every_step_once_and_no_gaps(self, storage: Storage, second_storage: Storage) -> None:
        at_once(lambda number: [enqueue([storage, second_storage][number % 2], f"t{number}-{i}") for i in range(20)])
        entries = storage.journal(Q, 0, 1000)
        assert [entry.position for entry in entries] == list(range(1, THREADS * 20 + 1))
        assert len({change.task_id for entry in entries for change in entry.changes}) == THREADS * 20

    def test_an_expired_lease_is_taken_back_by_one_claim_only(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(storage, "t1")
        claim_one(storage, lease_seconds=0.001)
        storage.configure(Q, {"max_crashes": 1000})
        taken = at_once(lambda number: claim([storage, second_storage][number % 2], lease_seconds=60))
        assert sum(len(part) for part in taken) <= 1
