"""Waiting for results, and dead letters."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task, TaskStatus
from distributed_queue.errors import (
    InvalidCursor,
    QueueClosed,
    ResultTimeout,
    StorageUnavailable,
    TaskFailed,
    TaskNotFound,
)
from distributed_queue.tests.steps import LIMIT, eventually, look, put, take

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def bury(queue: HybridQueue, /, payload: Any = None, **fields: Any) -> Task:
    task = put(queue, payload, max_retries=0, **fields)
    assert take(queue).task_id == task.task_id
    assert queue.mark_failed(task.task_id, ValueError("broken"))
    return task


def watchers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dq-watcher")]


class TestWaiting:
    def test_a_result_that_is_there_comes_at_once(self, queue: HybridQueue) -> None:
        task = put(queue)
        take(queue)
        queue.mark_completed(task.task_id, result=[1, None, "x"])
        assert queue.wait_result(task.task_id, 0) == [1, None, "x"]

    def test_the_result_none_is_a_result(self, queue: HybridQueue) -> None:
        task = put(queue)
        take(queue)
        queue.mark_completed(task.task_id)
        assert queue.wait_result(task.task_id, LIMIT) is None

    @pytest.mark.parametrize("journal", [True, False])
    def test_everyone_who_waits_gets_the_result(
        self, queue: HybridQueue, threads: ThreadPoolExecutor, journal: bool
    ) -> None:
        queue.configure(journal=journal)
        tasks = [put(queue, number) for number in range(4)]
        waiting = [threads.submit(queue.wait_result, task.task_id, LIMIT) for task in tasks for _ in range(2)]
        for task in tasks:
            take(queue)
            queue.mark_completed(task.task_id, result=task.payload)
        assert [future.result(LIMIT) for future in waiting] == [0, 0, 1, 1, 2, 2, 3, 3]

    def test_what_another_client_completes_is_seen(self, shared_url: str, threads: ThreadPoolExecutor) -> None:
        with HybridQueue.from_url(shared_url) as here, HybridQueue.from_url(shared_url) as there:
            task = put(here)
            waiting = threads.submit(here.wait_result, task.task_id, LIMIT)
            take(there)
            there.mark_completed(task.task_id, result="from there")
            assert waiting.result(LIMIT) == "from there"

    def test_a_task_that_takes_too_long_is_a_timeout(self, queue: HybridQueue) -> None:
        task = put(queue)
        with pytest.raises(ResultTimeout, match=r"0\.05 s") as caught:
            queue.wait_result(task.task_id, 0.05)
        assert isinstance(caught.value, TimeoutError)
        assert look(queue, task).status is TaskStatus.PENDING

    def test_an_unknown_task_is_not_waited_for(self, queue: HybridQueue) -> None:
        with pytest.raises(TaskNotFound, match="nobody"):
            queue.wait_result("nobody", LIMIT)

    def test_a_dead_task_has_no_result_but_its_error(self, queue: HybridQueue) -> None:
        task = bury(queue)
        with pytest.raises(TaskFailed, match="ValueError: broken") as caught:
            queue.wait_result(task.task_id, LIMIT)
        assert caught.value.status == "dead"
        assert queue.wait(task.task_id, LIMIT).status is TaskStatus.DEAD

    @pytest.mark.parametrize("ending", ["cancelled", "deleted", "cleared"])
    def test_what_ends_without_a_result_ends_the_wait(
        self, queue: HybridQueue, threads: ThreadPoolExecutor, ending: str
    ) -> None:
        task = put(queue)
        waiting = threads.submit(queue.wait_result, task.task_id, LIMIT)
        eventually(watchers)
        if ending == "cancelled":
            queue.cancel(task.task_id)
        elif ending == "deleted":
            queue.storage.delete("default", [task.task_id])
        else:
            queue.clear()
        expected = TaskFailed if ending == "cancelled" else TaskNotFound
        assert isinstance(waiting.exception(LIMIT), expected)

    def test_closing_ends_every_wait(self, storage_url: str, threads: ThreadPoolExecutor) -> None:
        with HybridQueue.from_url(storage_url) as queue:
            tasks = [put(queue), put(queue, queue="other")]
            waiting = [threads.submit(queue.wait_result, task.task_id, LIMIT) for task in tasks]
            eventually(lambda: len(watchers()) == 2)
        assert [type(future.exception(LIMIT)) for future in waiting] == [QueueClosed, QueueClosed]

    def test_no_thread_stays_behind(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url) as queue:
            task = put(queue)
            with pytest.raises(ResultTimeout):
                queue.wait_result(task.task_id, 0.01)
        assert not watchers()

    def test_a_wait_that_cannot_begin_leaves_nothing_behind(
        self, queue: HybridQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task = put(queue)
        get, here = queue.storage.get, threading.current_thread()

        def failing_here(ids: list[str], name: str | None = None) -> Any:
            if name is not None and threading.current_thread() is here:
                raise StorageUnavailable(queue.storage.url, "gone for a moment")
            return get(ids, name)

        monkeypatch.setattr(queue.storage, "get", failing_here)
        with pytest.raises(StorageUnavailable):
            queue.wait_result(task.task_id, LIMIT)

        def nobody_watches() -> bool:
            queue.storage.wake()
            return not watchers()

        eventually(nobody_watches)

    def test_a_callback_that_fails_spares_the_others(self, queue: HybridQueue) -> None:
        first, second = put(queue), put(queue)

        def fail(_: object) -> None:
            raise RuntimeError("a mistake of the caller")

        queue.watch(first.task_id, fail)
        arrived = threading.Event()
        queue.watch(second.task_id, lambda _: arrived.set())
        for task in (first, second):
            take(queue)
            queue.mark_completed(task.task_id)
        assert arrived.wait(LIMIT)


class TestDeadLetters:
    def test_they_keep_what_is_needed_to_understand_them(self, queue: HybridQueue) -> None:
        task = bury(queue, {"type": "mail", "data": "x"}, priority=3)
        (letter,) = queue.get_dead_letters()
        assert (letter.task_id, letter.payload, letter.priority) == (task.task_id, task.payload, 3)
        assert (letter.error, letter.reason, letter.retry_count) == ("ValueError: broken", "failed", 1)
        assert queue.get_stats()["dead_letter_count"] == 1
        assert queue.size() == 0

    def test_they_come_in_pages_that_overlap_nowhere(self, queue: HybridQueue) -> None:
        buried = {bury(queue, number).task_id for number in range(5)}
        seen: list[str] = []
        cursor = None
        while True:
            page = queue.get_dead_letters(limit=2, cursor=cursor)
            seen += [task.task_id for task in page]
            cursor = page.cursor
            if cursor is None:
                break
        assert len(seen) == 5
        assert set(seen) == buried

    def test_a_wrong_cursor_is_refused(self, queue: HybridQueue) -> None:
        with pytest.raises(InvalidCursor):
            queue.get_dead_letters(cursor="page two")

    def test_some_are_requeued_with_a_clean_slate(self, queue: HybridQueue) -> None:
        first, second = bury(queue), bury(queue)
        waiting = put(queue, delay=60)
        assert queue.requeue_dead([first.task_id, waiting.task_id, "nobody"]) == 1
        again = take(queue)
        assert (again.task_id, again.retry_count, again.attempt) == (first.task_id, 0, 2)
        assert [task.task_id for task in queue.get_dead_letters()] == [second.task_id]

    def test_all_are_requeued(self, queue: HybridQueue) -> None:
        for name in ("a", "b", "default"):
            bury(queue, queue=name)
        assert queue.requeue_dead(queue="a") == 1
        assert queue.requeue_dead() == 2
        assert queue.size() == 3
        assert queue.requeue_dead() == 0

    def test_some_or_all_are_deleted(self, queue: HybridQueue) -> None:
        first = bury(queue)
        bury(queue)
        assert queue.delete_dead([first.task_id]) == 1
        assert queue.get_task(first.task_id) is None
        assert queue.delete_dead() == 1
        assert queue.get_dead_letters() == []
