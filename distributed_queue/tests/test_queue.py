"""The queue as programs use it, on every storage."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue, StorageBackend
from distributed_queue.core.queue import PriorityQueue, Task, TaskStatus
from distributed_queue.core.retry import RetryPolicy
from distributed_queue.core.storage import TaskUpdate
from distributed_queue.errors import InvalidInput, InvalidResult, QueueClosed
from distributed_queue.tests.steps import AT_ONCE, LIMIT, between, look, put, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


class TestPutAndGet:
    def test_a_task_comes_back_as_it_was_put(self, queue: HybridQueue) -> None:
        payload = {"type": "mail", "data": {"to": "ada", "tags": ["x", None, True, 1.5, -3]}}
        task = put(queue, payload, priority=7, max_retries=5, timeout=2.5, retry=RetryPolicy(base=1.0))
        got = take(queue, worker_id="w")
        assert (got.task_id, got.payload, got.priority, got.type) == (task.task_id, payload, 7, "mail")
        assert (got.max_retries, got.timeout, got.retry) == (5, 2.5, RetryPolicy(base=1.0))
        assert (got.status, got.attempt, got.retry_count, got.worker_id) == (TaskStatus.PROCESSING, 1, 0, "w")

    def test_lower_priority_numbers_come_first(self, queue: HybridQueue) -> None:
        for priority in (10, 0, 1000, 5):
            put(queue, priority=priority)
        assert [take(queue).priority for _ in range(4)] == [0, 5, 10, 1000]

    def test_within_a_priority_the_first_in_is_the_first_out(self, queue: HybridQueue) -> None:
        tasks = [put(queue, number) for number in range(5)]
        assert [take(queue).task_id for _ in range(5)] == [task.task_id for task in tasks]

    def test_an_empty_queue_gives_nothing(self, queue: HybridQueue) -> None:
        assert queue.get(block=False) is None
        assert queue.get(timeout=0.01) is None

    def test_a_blocked_get_is_woken_by_a_put(self, queue: HybridQueue) -> None:
        got: list[Task | None] = []
        thread = threading.Thread(target=lambda: got.append(queue.get(timeout=LIMIT)))
        thread.start()
        task = put(queue)
        thread.join(LIMIT)
        assert got[0] is not None
        assert got[0].task_id == task.task_id

    def test_a_blocked_get_sees_a_queue_that_is_new(self, queue: HybridQueue) -> None:
        got: list[Task | None] = []
        thread = threading.Thread(target=lambda: got.append(queue.get(timeout=LIMIT)))
        thread.start()
        put(queue, queue="brand.new")
        thread.join(LIMIT)
        assert got[0] is not None
        assert got[0].queue == "brand.new"

    def test_a_blocked_get_comes_back_when_a_delay_is_over(self, queue: HybridQueue) -> None:
        task = put(queue, delay=0.1)
        assert queue.get(block=False) is None
        got = take(queue, timeout=LIMIT)
        assert got.task_id == task.task_id
        assert between(got.created_at, got.started_at) >= 0.1

    def test_put_many_keeps_the_order(self, queue: HybridQueue) -> None:
        tasks = [Task(1, number) for number in range(250)]
        assert queue.put_many(iter(tasks)) is True
        assert queue.size() == 250
        assert [take(queue).payload for _ in range(250)] == list(range(250))

    def test_put_many_of_nothing_is_no_error(self, queue: HybridQueue) -> None:
        assert queue.put_many([]) is True

    def test_a_second_put_of_the_same_task_adds_nothing(self, queue: HybridQueue) -> None:
        task = put(queue)
        assert queue.put(task) is True
        assert queue.enqueue([task, Task(1, None)]) == [False, True]
        assert queue.size() == 2

    def test_several_named_queues_are_kept_apart(self, storage_url: str, queue: HybridQueue) -> None:
        put(queue, "a", queue="a")
        put(queue, "b", queue="b")
        assert {stats.queue: stats.depth for stats in queue.queue_stats()} == {"a": 1, "b": 1, "default": 0}
        assert {take(queue).payload, take(queue).payload} == {"a", "b"}

    def test_only_the_queues_asked_for_are_taken_from_the_preferred_first(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, queues=["second", "first"]) as queue:
            for name in ("other", "first", "second"):
                put(queue, queue=name, priority=0 if name == "other" else 9)
            assert [take(queue).queue, take(queue).queue, queue.get(block=False)] == ["second", "first", None]

    def test_tasks_order_by_priority(self) -> None:
        assert Task(1, "b") < Task(2, "a")
        assert Task(2, "b") <= Task(2, "a")
        assert Task(3, None) > Task(2, None)
        assert min([Task(3, None), Task(1, None)]).priority == 1


class TestSettling:
    def test_a_completed_task_keeps_its_result(self, queue: HybridQueue) -> None:
        task = put(queue)
        take(queue, worker_id="w")
        assert queue.mark_completed(task.task_id, "w", {"answer": [42]}) is True
        done = look(queue, task)
        assert (done.status, str(done.status), done.result) == (TaskStatus.COMPLETED, "completed", {"answer": [42]})
        assert between(done.created_at, done.started_at) >= 0
        assert between(done.started_at, done.finished_at) >= 0

    def test_a_failed_task_waits_for_its_next_attempt(self, queue: HybridQueue) -> None:
        task = put(queue, retry=RetryPolicy(base=3600, cap=3600))
        take(queue)
        assert queue.mark_failed(task.task_id, ValueError("no")) is True
        failed = look(queue, task)
        assert (failed.status, failed.retry_count, failed.error) == (TaskStatus.RETRYING, 1, "ValueError: no")
        assert 1800 <= between(failed.started_at, failed.execute_after) <= 3605

    def test_a_task_whose_retries_are_used_up_is_dead(self, queue: HybridQueue) -> None:
        task = put(queue, max_retries=2, retry=AT_ONCE)
        for attempt in (1, 2, 3):
            assert take(queue, timeout=LIMIT).attempt == attempt
            assert queue.mark_failed(task.task_id, f"failure {attempt}") is True
        dead = look(queue, task)
        assert (dead.status, dead.error, dead.reason) == (TaskStatus.DEAD, "failure 3", "failed")

    def test_nobody_settles_a_task_twice(self, queue: HybridQueue) -> None:
        task = put(queue)
        take(queue)
        assert queue.mark_completed(task.task_id) is True
        assert queue.mark_completed(task.task_id) is False
        assert queue.mark_failed(task.task_id, "late") is False
        assert look(queue, task).status is TaskStatus.COMPLETED

    def test_nobody_settles_what_was_not_taken_here(self, queue: HybridQueue) -> None:
        task = put(queue)
        assert queue.mark_completed(task.task_id) is False
        assert queue.mark_failed(task.task_id) is False
        assert queue.release(task.task_id) is False
        assert queue.extend_lease(task.task_id, 10) is False
        take(queue, worker_id="w")
        assert queue.mark_completed(task.task_id, "somebody else") is False
        assert queue.mark_completed(task.task_id, "w") is True

    def test_a_released_task_goes_back_to_its_place(self, queue: HybridQueue) -> None:
        first, second = put(queue), put(queue)
        take(queue)
        assert queue.release(first.task_id) is True
        again = take(queue)
        assert (again.task_id, again.attempt, again.retry_count) == (first.task_id, 2, 0)
        assert take(queue).task_id == second.task_id

    def test_a_lease_that_ran_out_lets_the_task_be_taken_again(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, visibility_timeout=0.05) as queue:
            task = put(queue)
            assert take(queue, worker_id="slow").attempt == 1
            again = take(queue, "quick", timeout=LIMIT)
            assert (again.task_id, again.attempt, again.crashes) == (task.task_id, 2, 1)
            assert queue.mark_completed(task.task_id, "slow") is False

    def test_an_extended_lease_lasts(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, visibility_timeout=0.1) as queue:
            task = put(queue)
            take(queue)
            assert queue.extend_lease(task.task_id, 60) is True
            assert queue.get(timeout=0.2) is None
            assert queue.mark_completed(task.task_id) is True

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "soon", None, True])
    def test_a_senseless_extension_is_refused(self, queue: HybridQueue, seconds: float) -> None:
        task = put(queue)
        take(queue)
        with pytest.raises(InvalidInput, match="seconds"):
            queue.extend_lease(task.task_id, seconds)
        assert queue.mark_completed(task.task_id) is True

    def test_a_result_that_cannot_be_stored_leaves_the_task_held(self, queue: HybridQueue) -> None:
        task = put(queue)
        take(queue)
        with pytest.raises(InvalidResult, match="object"):
            queue.mark_completed(task.task_id, result=object())
        assert queue.mark_completed(task.task_id, result="fine") is True

    def test_closing_gives_back_what_was_not_settled(self, shared_url: str) -> None:
        with HybridQueue.from_url(shared_url) as queue:
            task = put(queue)
            with HybridQueue.from_url(shared_url) as other:
                take(other)
            again = take(queue)
            assert (again.task_id, again.attempt, again.crashes) == (task.task_id, 2, 0)


class TestControl:
    def test_what_waits_is_cancelled_at_once(self, queue: HybridQueue) -> None:
        task, later = put(queue), put(queue, delay=60)
        assert queue.cancel(task.task_id) is True
        assert queue.cancel(later.task_id) is True
        assert look(queue, task).status is TaskStatus.CANCELLED
        assert queue.get(block=False) is None
        assert queue.cancel(task.task_id) is False

    def test_what_runs_is_asked_to_stop(self, queue: HybridQueue) -> None:
        task = put(queue)
        take(queue)
        assert queue.cancel(task.task_id) is True
        assert look(queue, task).cancel_requested is True
        queue.mark_failed(task.task_id, "stopped")
        assert look(queue, task).status is TaskStatus.CANCELLED

    def test_an_unknown_task_is_none(self, queue: HybridQueue) -> None:
        assert queue.get_task("nobody") is None
        assert queue.cancel("nobody") is False
        assert queue.requeue("nobody") is False

    def test_a_scheduled_task_can_be_run_now(self, queue: HybridQueue) -> None:
        task = put(queue, delay=3600)
        assert queue.requeue(task.task_id) is True
        assert take(queue).task_id == task.task_id

    def test_a_paused_queue_gives_nothing_until_it_is_resumed(self, queue: HybridQueue) -> None:
        put(queue)
        queue.pause()
        assert queue.get(block=False) is None
        assert queue.get_stats()["queues"]["default"]["paused"] is True
        queue.resume()
        take(queue)

    def test_clear_forgets_everything_or_one_queue(self, queue: HybridQueue) -> None:
        for name in ("a", "a", "b"):
            put(queue, queue=name)
        assert queue.clear("a") == 2
        assert queue.size() == queue.size("b") == 1
        assert queue.clear() == 1
        assert queue.size() == 0

    def test_a_task_that_expired_is_not_run(self, queue: HybridQueue) -> None:
        task = put(queue, expires_at=1.0)
        assert queue.get(block=False) is None
        assert look(queue, task).status is TaskStatus.EXPIRED

    def test_a_body_that_cannot_be_read_is_a_dead_letter(self, queue: HybridQueue) -> None:
        broken, fine = put(queue), put(queue)
        queue.storage.update("default", broken.task_id, TaskUpdate(body=b"\xc1"))
        assert take(queue).task_id == fine.task_id
        (stored,) = queue.storage.get([broken.task_id])
        assert stored is not None
        assert (stored.status, stored.reason) == (TaskStatus.DEAD, "unreadable")


class TestFigures:
    def test_size_counts_what_still_has_to_run(self, queue: HybridQueue) -> None:
        put(queue)
        put(queue, delay=60)
        retried = put(queue, priority=0)
        take(queue)
        assert queue.size() == len(queue) == 2
        queue.mark_failed(retried.task_id)
        assert queue.size() == 3

    def test_stats_have_the_words_of_the_specification(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, max_size=9, rate_limit=100) as queue:
            put(queue)
            put(queue, delay=60)
            stats = queue.get_stats()
            assert (stats["queue_size"], stats["dead_letter_count"], stats["workers"]) == (2, 0, 0)
            assert (stats["max_size"], stats["rate_limit"]) == (9, 100)
            assert stats["counts"]["pending"] == stats["counts"]["scheduled"] == 1
            assert set(stats["counts"]) == {str(status) for status in TaskStatus}
            assert stats["queues"]["default"]["size"] == 2

    def test_health_names_the_engine_and_the_place(self, storage_url: str, queue: HybridQueue) -> None:
        health = queue.health_check()
        assert health["healthy"] is True
        assert storage_url.startswith(health["engine"])
        assert health["durability"]

    def test_tasks_are_listed_by_queue_status_and_type(self, queue: HybridQueue) -> None:
        mail = put(queue, {"type": "mail"}, queue="a")
        put(queue, {"type": "sms"}, queue="a")
        put(queue, {"type": "mail"}, queue="b")
        assert [task.task_id for task in queue.find("a", "pending", "mail")] == [mail.task_id]
        first = queue.find(limit=2)
        assert len(first) == 2
        assert len(queue.find(limit=2, cursor=first.cursor)) == 1

    @pytest.mark.parametrize("wrong", [{"status": "lost"}, {"limit": 0}, {"limit": -1}, {"limit": "all"}])
    def test_a_senseless_listing_is_refused(self, queue: HybridQueue, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            queue.find(**wrong)


class TestLife:
    def test_it_is_a_context_manager_and_closes(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url) as queue:
            task = put(queue)
        queue.close()
        for use in (
            lambda: queue.put(Task(1, None)),
            lambda: queue.put_many([]),
            lambda: queue.get(block=False),
            lambda: queue.mark_completed(task.task_id),
            lambda: queue.get_task(task.task_id),
            lambda: queue.wait_result(task.task_id, 1),
            lambda: queue.cancel(task.task_id),
            queue.size,
            queue.get_stats,
            queue.clear,
            queue.health_check,
        ):
            with pytest.raises(QueueClosed):
                use()

    def test_closing_ends_a_blocked_get(self, storage_url: str) -> None:
        queue = HybridQueue.from_url(storage_url)
        ended: list[BaseException | None] = []

        def get() -> None:
            try:
                queue.get(timeout=LIMIT)
            except QueueClosed as closed:
                ended.append(closed)

        thread = threading.Thread(target=get)
        thread.start()
        queue.close()
        thread.join(LIMIT)
        assert len(ended) == 1

    def test_it_is_true_even_when_it_is_empty(self, queue: HybridQueue) -> None:
        assert len(queue) == 0
        assert queue

    def test_the_words_of_the_specification_open_every_backend(
        self, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for backend in (StorageBackend.MEMORY, StorageBackend.SQLITE, StorageBackend.REDIS):
            url = redis_url if backend is StorageBackend.REDIS else None
            with HybridQueue(
                backend=backend, max_size=1000, rate_limit=100, visibility_timeout=300.0, redis_url=url
            ) as queue:
                put(queue, {"type": "simple", "data": "Hello World"}, priority=1)
                assert take(queue).data == "Hello World"
                assert queue.health_check()["engine"] == str(backend)

    def test_redis_url_comes_from_the_environment(self, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_URL", redis_url)
        with HybridQueue(StorageBackend.REDIS) as queue:
            assert queue.storage.url == redis_url

    def test_priority_queue_is_in_memory(self) -> None:
        with PriorityQueue(max_size=10000, rate_limit=100) as queue:
            put(queue)
            assert queue.get_stats()["max_size"] == 10000
            assert queue.health_check()["engine"] == "memory"
