"""Handlers that fail: retries, dead letters, error handlers, results that cannot be stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task, TaskStatus
from distributed_queue.core.retry import Backoff, RetryPolicy
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.tests.steps import AT_ONCE, LIMIT, changes, finished, look, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as queue:
        yield queue


def fail(_: object) -> None:
    raise ValueError("no luck")


async def fail_on_loop(_: object) -> None:
    await asyncio.sleep(0)
    raise ValueError("no luck")


class TestRetries:
    @pytest.mark.parametrize("handler", [fail, fail_on_loop])
    def test_a_task_is_tried_again_and_then_is_dead(self, queue: HybridQueue, handler: Any) -> None:
        with running(queue, handlers={"default": handler}):
            (dead,) = finished(queue, [put(queue, max_retries=2)])
        assert (dead.status, dead.attempt, dead.retry_count) == (TaskStatus.DEAD, 3, 3)
        assert (dead.error, dead.reason) == ("ValueError: no luck", "failed")
        words = [change.event for change in changes(queue) if change.task_id == dead.task_id]
        assert words.count("retrying") == 2
        assert words[-1] == "dead"

    def test_a_task_that_succeeds_at_last_is_completed(self, queue: HybridQueue) -> None:
        left = [1, 1]

        def handler(_: object) -> str:
            if left:
                left.pop()
                raise ValueError("not yet")
            return "at last"

        with running(queue, handlers={"default": handler}):
            task = put(queue)
            assert queue.wait_result(task.task_id, LIMIT) == "at last"
        done = look(queue, task)
        assert (done.attempt, done.retry_count, done.error) == (3, 2, None)

    def test_without_retries_the_first_failure_is_the_last(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": fail}):
            (dead,) = finished(queue, [put(queue, max_retries=0)])
        assert (dead.status, dead.attempt) == (TaskStatus.DEAD, 1)

    def test_a_retry_comes_after_its_delay_and_not_before(self, queue: HybridQueue) -> None:
        policy = RetryPolicy(backoff=Backoff.LIST, delays=(0.2, 0.05), jitter=0.0)
        with running(queue, handlers={"default": fail}, policy=policy):
            finished(queue, [put(queue, max_retries=2)])
        times = [
            entry.at
            for entry in queue.storage.journal("default", 0, 100)
            for change in entry.changes
            if change.event in ("retrying", "claimed")
        ]
        first, failed, second, failed_again, third = times
        assert round(second - failed, 3) >= 0.2
        assert round(third - failed_again, 3) >= 0.05
        assert first <= failed

    def test_the_policy_of_the_task_comes_before_that_of_the_type(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": fail}, policy=RetryPolicy(base=3600.0, cap=3600.0)):
            (dead,) = finished(queue, [put(queue, max_retries=1, retry=AT_ONCE)])
        assert dead.status is TaskStatus.DEAD

    def test_a_requeued_dead_letter_has_all_its_retries_again(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": fail}) as worker:
            task = put(queue, max_retries=1)
            finished(queue, [task])
            worker.register_handler("default", lambda _: "mended")
            assert queue.requeue_dead() == 1
            assert queue.wait_result(task.task_id, LIMIT) == "mended"


class TestWhatIsRaised:
    @pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()])
    @pytest.mark.parametrize("kind", ["plain", "async"])
    def test_no_exception_takes_the_slot_with_it(self, queue: HybridQueue, raised: BaseException, kind: str) -> None:
        def plain(data: bool) -> str:
            if data:
                raise raised
            return "alive"

        async def on_loop(data: bool) -> str:
            return plain(data)

        with running(queue, handlers={"default": plain if kind == "plain" else on_loop}, max_workers=1):
            (dead,) = finished(queue, [put(queue, True, max_retries=0)])
            assert str(dead.error).startswith(type(raised).__name__)
            assert queue.wait_result(put(queue, False).task_id, LIMIT) == "alive"

    def test_the_traceback_begins_in_the_handler(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": fail}):
            (dead,) = finished(queue, [put(queue, max_retries=0)])
        assert dead.traceback is not None
        assert 'raise ValueError("no luck")' in dead.traceback
        assert "runner.py" not in dead.traceback

    def test_an_exception_that_cannot_be_printed_is_named(self, queue: HybridQueue) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError("not even this")

        def handler(_: object) -> None:
            raise Mute

        with running(queue, handlers={"default": handler}, max_workers=1):
            (dead,) = finished(queue, [put(queue, max_retries=0)])
        assert str(dead.error).startswith("Mute")

    def test_an_endless_message_is_cut(self, queue: HybridQueue) -> None:
        def handler(_: object) -> None:
            raise ValueError("x" * 1_000_000)

        with running(queue, handlers={"default": handler}):
            (dead,) = finished(queue, [put(queue, max_retries=0)])
        assert 1_000 < len(str(dead.error)) < 10_000


class TestErrorHandler:
    def test_it_is_called_for_each_failed_attempt(self, queue: HybridQueue) -> None:
        calls: list[tuple[str, int, str]] = []

        def note(task: Task, error: BaseException) -> None:
            calls.append((task.task_id, task.attempt, str(error)))

        with running(queue, handlers={"default": fail, "loop": fail_on_loop}, error_handler=note):
            plain = put(queue, max_retries=2)
            on_loop = put(queue, {"type": "loop"}, max_retries=0)
            unknown = put(queue, {"type": "fax"}, max_retries=0)
            finished(queue, [plain, on_loop, unknown])
        assert [call for call in calls if call[0] == plain.task_id] == [
            (plain.task_id, attempt, "no luck") for attempt in (1, 2, 3)
        ]
        assert (on_loop.task_id, 1, "no luck") in calls
        assert any(task_id == unknown.task_id and "fax" in text for task_id, _, text in calls)

    @pytest.mark.parametrize("raised", [RuntimeError("worse"), SystemExit("worse")])
    def test_its_own_failure_is_logged_and_changes_nothing(
        self, queue: HybridQueue, raised: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        def worse(task: Task, error: BaseException) -> None:
            raise raised

        with running(queue, handlers={"default": fail}, error_handler=worse, max_workers=1):
            dead = finished(queue, [put(queue, max_retries=1), put(queue, max_retries=1)])
        assert [(task.status, task.error) for task in dead] == [(TaskStatus.DEAD, "ValueError: no luck")] * 2
        assert "the error handler failed" in caplog.text

    def test_the_words_of_the_specification(self) -> None:
        def note(task: Task, exception: BaseException) -> None: ...

        config = WorkerConfig(
            name="worker-1", max_workers=10, poll_interval=0.1, shutdown_timeout=30.0, error_handler=note
        )
        with HybridQueue() as queue:
            assert Worker(queue, config).config.error_handler is note


class Hostile(dict[str, Any]):
    """A container that fails when it is looked into."""

    def __iter__(self) -> Any:
        raise RuntimeError("do not look")

    def values(self) -> Any:
        raise RuntimeError("do not look")

    def items(self) -> Any:
        raise RuntimeError("do not look")


class TestResults:
    @pytest.mark.parametrize(
        ("result", "words"),
        [
            (object(), "object"),
            ({1: 2}, "key"),
            (float("nan"), "nan"),
            ("\ud800", "surrogate"),
            (1 << 70, "integer"),
            ({1, 2}, "set"),
        ],
    )
    def test_a_result_that_is_not_json_is_a_dead_letter_at_once(
        self, queue: HybridQueue, result: Any, words: str
    ) -> None:
        with running(queue, handlers={"default": lambda _: result}, max_workers=1):
            (dead,) = finished(queue, [put(queue)])
        assert (dead.status, dead.reason, dead.attempt) == (TaskStatus.DEAD, "invalid-result", 1)
        assert words in str(dead.error).lower()

    def test_a_huge_result_is_a_dead_letter_that_says_the_limit(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda _: "x" * (1 << 20)}):
            (dead,) = finished(queue, [put(queue)])
        assert dead.reason == "invalid-result"
        assert "1,048,576" in str(dead.error)

    def test_a_large_result_is_kept(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda _: "x" * 1_000_000}):
            assert len(queue.wait_result(put(queue).task_id, LIMIT)) == 1_000_000

    def test_a_hostile_result_does_not_take_the_slot_with_it(self, queue: HybridQueue) -> None:
        with running(queue, handlers={"default": lambda data: Hostile(a=1) if data else "alive"}, max_workers=1):
            (dead,) = finished(queue, [put(queue, True)])
            assert dead.status is TaskStatus.DEAD
            assert "do not look" in str(dead.error)
            assert queue.wait_result(put(queue, False).task_id, LIMIT) == "alive"

    def test_an_error_of_an_invalid_task_in_a_handler_is_its_failure(self, queue: HybridQueue) -> None:
        def submit_nonsense(_: object) -> None:
            queue.put(Task(-1, None))

        with running(queue, handlers={"default": submit_nonsense}):
            (dead,) = finished(queue, [put(queue, max_retries=1)])
        assert (dead.reason, dead.attempt) == ("failed", 2)
        assert "priority" in str(dead.error)
