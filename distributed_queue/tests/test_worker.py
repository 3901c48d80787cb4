"""The worker as programs use it, on every storage."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task, TaskStatus
from distributed_queue.core.storage import TaskUpdate
from distributed_queue.core.worker import Worker, WorkerConfig, current_task
from distributed_queue.errors import ConfigurationError, QueueClosed, TaskFailed
from distributed_queue.tests.steps import LIMIT, changes, eventually, finished, look, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dq-")]


class TestHandlers:
    def test_the_example_of_the_specification(self, queue: HybridQueue) -> None:
        worker = Worker(queue, WorkerConfig(name="worker-1", max_workers=5))
        worker.register_handler("simple", lambda data: f"Completed: {data}")
        task = Task(priority=1, payload={"type": "simple", "data": "Hello World"})
        queue.put(task)
        worker.start()
        try:
            assert queue.wait_result(task.task_id, LIMIT) == "Completed: Hello World"
        finally:
            worker.stop()

    def test_plain_and_async_handlers_work_side_by_side(self, queue: HybridQueue) -> None:
        async def double(data: int) -> int:
            await asyncio.sleep(0)
            return 2 * data

        def negate(data: int) -> int:
            return -data

        with running(queue, handlers={"double": double, "negate": negate}, max_workers=4):
            tasks = [put(queue, {"type": "double" if number % 2 else "negate", "data": number}) for number in range(50)]
            results = [task.result for task in finished(queue, tasks)]
        assert results == [2 * number if number % 2 else -number for number in range(50)]

    def test_an_object_with_an_async_call_is_an_async_handler(self, queue: HybridQueue) -> None:
        class Handler:
            async def __call__(self, data: str) -> str:
                return f"{data} on {asyncio.get_running_loop().__class__.__name__}"

        with running(queue, handlers={"default": Handler()}):
            assert "here on" in queue.wait_result(put(queue, "here").task_id, LIMIT)

    def test_every_kind_of_payload_reaches_the_handler(self, queue: HybridQueue) -> None:
        def echo(data: Any) -> Any:
            return [data]

        payloads: dict[str, tuple[Any, Any]] = {
            "type and data": ({"type": "echo", "data": 1}, 1),
            "type and other keys": ({"type": "echo", "a": 1}, {"a": 1}),
            "no type": ({"data": 1}, {"data": 1}),
            "no object": ([1, 2], [1, 2]),
            "nothing": (None, None),
        }
        with running(queue, handlers={"echo": echo, "default": echo}):
            for payload, data in payloads.values():
                assert queue.wait_result(put(queue, payload).task_id, LIMIT) == [data]

    def test_the_running_task_is_known_to_its_handler(self, queue: HybridQueue) -> None:
        def plain(_: object) -> list[Any]:
            task = current_task()
            assert (task.queue, task.type, task.retry_count, task.crashes) == ("default", task.task.type, 0, 0)
            assert (task.payload["type"], task.max_retries, task.expires_at) == (task.type, 3, None)
            assert task.created_at <= task.started_at
            assert task.interruption is None
            assert task.headers == {"tenant": "acme"}
            assert task.time_left is not None
            assert task.deadline is not None
            assert task.deadline > task.created_at
            return [task.task_id, task.attempt, task.priority, task.idempotency_key, 0 < task.time_left <= 60]

        async def on_loop(_: object) -> list[Any]:
            await asyncio.sleep(0)
            return plain(_)

        with running(queue, handlers={"plain": plain, "loop": on_loop}):
            for task_type in ("plain", "loop"):
                task = put(queue, {"type": task_type}, priority=7, timeout=60, headers={"tenant": "acme"})
                key = f"default:{task.task_id}"
                assert queue.wait_result(task.task_id, LIMIT) == [task.task_id, 1, 7, key, True]
        with pytest.raises(LookupError, match="outside"):
            current_task()

    def test_a_handler_tells_of_its_progress(self, queue: HybridQueue) -> None:
        seen = threading.Event()

        def count(total: int) -> None:
            task = current_task()
            assert (task.time_left, task.deadline) == (None, None)
            task.progress(1, total, note="x" * 300)
            assert seen.wait(LIMIT)
            task.progress(total, total)

        with running(queue, handlers={"count": count}):
            task = put(queue, {"type": "count", "data": 7})
            eventually(lambda: look(queue, task).progress)
            assert look(queue, task).progress == {"done": 1, "total": 7, "note": "x" * 200}
            seen.set()
            (ended,) = finished(queue, [task])
        assert ended.progress == {"done": 7, "total": 7}

    def test_a_handler_registered_later_replaces_the_earlier(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda _: "old"}) as worker:
            worker.register_handler("default", lambda _: "new")
            worker.register_handler("more", lambda _: "more")
            assert queue.wait_result(put(queue).task_id, LIMIT) == "new"
            assert queue.wait_result(put(queue, {"type": "more"}).task_id, LIMIT) == "more"
            assert set(worker.handlers) == {"default", "more"}

    @pytest.mark.parametrize(
        ("task_type", "function"), [("", print), ("x" * 201, print), (None, print), ("a", "print")]
    )
    def test_a_senseless_registration_is_refused(self, task_type: Any, function: Any) -> None:
        with HybridQueue() as queue, pytest.raises(ConfigurationError):
            Worker(queue).register_handler(task_type, function)

    def test_tasks_run_in_the_order_of_their_priority(self, queue: HybridQueue) -> None:
        order: list[int] = []
        tasks = [put(queue, number, priority=number) for number in (5, 1, 3, 2, 4)]
        with running(queue, handlers={"default": order.append}, max_workers=1):
            finished(queue, tasks)
        assert order == [1, 2, 3, 4, 5]

    def test_context_variables_of_a_handler_stay_its_own_on_the_loop(self, queue: HybridQueue) -> None:
        seen: contextvars.ContextVar[int] = contextvars.ContextVar("seen", default=0)

        async def handler(data: int) -> int:
            before = seen.get()
            seen.set(data)
            return before

        with running(queue, handlers={"default": handler}):
            tasks = [put(queue, number) for number in range(1, 6)]
            assert [task.result for task in finished(queue, tasks)] == [0] * 5


class TestQueues:
    def test_queues_are_worked_in_the_order_given(self, queue: HybridQueue) -> None:
        order: list[str] = []
        tasks = [put(queue, name, queue=name) for name in ("low", "high", "low", "high", "unasked")]
        with running(queue, handlers={"default": order.append}, max_workers=1, queues=["high", "low"]):
            finished(queue, tasks[:4])
        assert order == ["high", "high", "low", "low"]
        assert look(queue, tasks[4]).status is TaskStatus.PENDING

    def test_all_queues_are_worked_also_one_made_later(self, queue: HybridQueue) -> None:
        tasks = [put(queue, queue="before")]
        with running(queue, handlers={"default": lambda _: "done"}):
            finished(queue, tasks)
            tasks.append(put(queue, queue="after"))
            begin = time.monotonic()
            assert queue.wait_result(tasks[1].task_id, LIMIT) == "done"
            assert time.monotonic() - begin < 5

    def test_a_queue_that_another_client_makes_is_noticed(self, shared_url: str) -> None:
        with (
            HybridQueue.from_url(shared_url) as here,
            HybridQueue.from_url(shared_url) as there,
            running(here, handlers={"default": lambda _: "done"}),
        ):
            assert there.wait_result(put(there, queue="foreign").task_id, LIMIT) == "done"

    def test_many_queues_are_all_worked(self, queue: HybridQueue) -> None:
        tasks = [put(queue, number, queue=f"q{number % 20}") for number in range(60)]
        with running(queue, handlers={"default": lambda data: data}):
            assert [task.result for task in finished(queue, tasks)] == list(range(60))
            assert queue.wait_result(put(queue, "again", queue="q7").task_id, LIMIT) == "again"

    def test_a_paused_queue_is_left_alone_and_the_others_are_not(self, queue: HybridQueue) -> None:
        put(queue, queue="a")
        queue.pause("a")
        with running(queue, handlers={"default": lambda data: data}):
            finished(queue, [put(queue, queue="b")])
            assert queue.size("a") == 1
            queue.resume("a")
            eventually(lambda: queue.size("a") == 0)


class TestLife:
    def test_figures_have_the_words_of_the_specification(self, queue: HybridQueue) -> None:
        worker = Worker(queue, WorkerConfig(name="w7", max_workers=3))
        worker.register_handler("mail", print)
        stats = worker.get_stats()
        assert (stats["name"], stats["running"], stats["active_tasks"], stats["max_workers"]) == ("w7", False, 0, 3)
        assert stats["handlers"] == ["mail"]
        assert (worker.config.name, worker.queue, worker.running) == ("w7", queue, False)

    def test_figures_count_what_was_done(self, queue: HybridQueue) -> None:
        def handler(data: bool) -> None:
            if not data:
                raise ValueError("no")

        with running(queue, handlers={"default": handler}) as worker:
            finished(queue, [put(queue, True), put(queue, True), put(queue, False, max_retries=1)])
            # The worker counts an outcome when it has the answer, which may be after others have seen the outcome.
            eventually(lambda: worker.get_stats()["processed"] + worker.get_stats()["failed"] == 4)
            stats = worker.get_stats()
            assert (stats["running"], stats["state"]) == (True, "running")
            assert (stats["processed"], stats["failed"], stats["lost"]) == (2, 2, 0)
        assert worker.get_stats()["state"] == "stopped"

    def test_it_is_listed_while_it_lives(self, queue: HybridQueue) -> None:
        with running(queue, name="visible", max_workers=4, queues=["a", "b"]) as worker:
            (info,) = queue.workers()
            assert (info.id, info.name, info.max_workers) == (worker.worker_id, "visible", 4)
            assert info.queues == ("a", "b")
            assert queue.get_stats()["workers"] == 1
        assert queue.workers() == []

    def test_starting_twice_and_stopping_twice_is_no_harm(self, queue: HybridQueue) -> None:
        worker = Worker(queue)
        worker.stop()
        worker.start()
        first = worker.worker_id
        worker.start()
        assert worker.worker_id == first
        worker.stop()
        worker.stop()
        assert not worker.running

    def test_it_can_be_started_again(self, queue: HybridQueue) -> None:
        worker = Worker(queue)
        worker.register_handler("default", lambda data: data)
        ids = set()
        for number in range(3):
            worker.start()
            ids.add(worker.worker_id)
            assert queue.wait_result(put(queue, number).task_id, LIMIT) == number
            worker.stop()
        assert len(ids) == 3

    def test_no_thread_is_left_after_stop(self, queue: HybridQueue) -> None:
        async def on_loop(data: int) -> int:
            return data

        before = own_threads()
        with running(queue, handlers={"default": lambda data: data, "loop": on_loop}):
            finished(queue, [put(queue, number) for number in range(20)])
            finished(queue, [put(queue, {"type": "loop", "data": number}) for number in range(20)])
        # The queue is open still: its watcher and its storage's poller may go on.
        left = Counter(own_threads()) - Counter(before)
        assert [name for name in left if "watcher" not in name and "poller" not in name] == []

    def test_stopping_is_quick_when_nothing_runs(self, queue: HybridQueue) -> None:
        begin = time.monotonic()
        for _ in range(5):
            with running(queue):
                pass
        assert time.monotonic() - begin < 5

    def test_a_storage_that_cannot_be_reached_is_told_at_the_start(self) -> None:
        queue = HybridQueue()
        worker = Worker(queue)
        queue.close()
        with pytest.raises(QueueClosed):
            worker.start()
        assert not worker.running
        worker.stop()

    def test_a_queue_closed_too_early_does_not_hold_up_the_stop(self, storage_url: str) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def handler(_: object) -> None:
            begun.set()
            go_on.wait(LIMIT)

        queue = HybridQueue.from_url(storage_url)
        with running(queue, handlers={"default": handler}, shutdown_timeout=LIMIT) as worker:
            put(queue)
            assert begun.wait(LIMIT)
            queue.close()
            go_on.set()
            begin = time.monotonic()
        assert time.monotonic() - begin < LIMIT / 2
        assert not worker.running

    @pytest.mark.parametrize(
        "options",
        [
            {"name": ""},
            {"name": "a b"},
            {"name": None},
            {"max_workers": 0},
            {"max_workers": 1.5},
            {"max_workers": "5"},
            {"max_workers": 10_001},
            {"poll_interval": 0},
            {"poll_interval": None},
            {"shutdown_timeout": -1},
            {"shutdown_timeout": float("nan")},
            {"lease_seconds": 0},
            {"lease_seconds": "long"},
            {"queues": []},
            {"queues": "mail"},
        ],
    )
    def test_a_senseless_configuration_is_refused_by_name(self, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match=next(iter(options)).replace("name", "worker name")):
            WorkerConfig(**options)


class TestTasksThatCannotRun:
    def test_an_unknown_type_fails_with_the_known_ones_named(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"mail": print, "sms": print}):
            task = put(queue, {"type": "fax"}, max_retries=0)
            with pytest.raises(TaskFailed, match=r"'fax'.*mail, sms"):
                queue.wait_result(task.task_id, LIMIT)

    def test_an_unknown_type_follows_its_retry_policy(self, queue: HybridQueue) -> None:
        with running(queue):
            task = put(queue, {"type": "fax"}, max_retries=1)
            eventually(lambda: look(queue, task).status is TaskStatus.RETRYING)
        assert look(queue, task).retry_count == 1

    def test_a_body_that_cannot_be_read_is_a_dead_letter(
        self, queue: HybridQueue, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken, fine = put(queue), put(queue)
        assert queue.storage.update("default", broken.task_id, TaskUpdate(body=b"\xc1"))
        with running(queue, handlers={"default": lambda _: "fine"}):
            assert queue.wait_result(fine.task_id, LIMIT) == "fine"
            eventually(lambda: queue.get_stats()["dead_letter_count"] == 1)
        (letter,) = queue.get_dead_letters()
        assert (letter.task_id, letter.reason, letter.payload) == (broken.task_id, "unreadable", {"base64": "wQ=="})
        assert broken.task_id in caplog.text


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_thousand_tasks_are_completed_once_each(queue: HybridQueue, kind: str) -> None:
    runs: Counter[int] = Counter()

    def plain(data: int) -> int:
        runs[data] += 1
        return data

    async def on_loop(data: int) -> int:
        return plain(data)

    tasks = [Task(number % 3, number) for number in range(1000)]
    with running(queue, handlers={"default": plain if kind == "plain" else on_loop}, max_workers=10) as worker:
        queue.put_many(tasks)
        assert {task.result for task in finished(queue, tasks)} == set(range(1000))
        assert worker.get_stats()["processed"] == 1000
    assert set(runs.values()) == {1}
    journalled = Counter(change.task_id for change in changes(queue) if change.event == "completed")
    assert journalled == Counter(task.task_id for task in tasks)


def test_news_of_the_worker_are_logged_by_name(queue: HybridQueue, caplog: pytest.LogCaptureFixture) -> None:
    def handler(_: object) -> None:
        raise ValueError("no luck")

    with caplog.at_level(logging.INFO, "distributed_queue.worker"), running(queue, handlers={"default": handler}):
        task = put(queue, {"type": "default"}, max_retries=1)
        finished(queue, [task])
    messages = [record.message for record in caplog.records if task.task_id in record.message]
    assert ["next try in" in message for message in messages] == [True, False]
    assert "is dead: ValueError: no luck" in messages[1]
