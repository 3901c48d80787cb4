"""Tests of applications without a server, and what handlers can say by raising."""

from __future__ import annotations

import pytest

from distributed_queue import (
    DeadLetter,
    Discard,
    DistributedQ,
    Retry,
    RetryLater,
    RetryPolicy,
    Snooze,
    Task,
    TaskStatus,
    current_task,
)
from distributed_queue.core.retry import Backoff
from distributed_queue.testing import InlineWorker

EVERY_MINUTE = RetryPolicy(backoff=Backoff.FIXED, base=60, jitter=0)


@pytest.fixture
def app() -> DistributedQ:
    # A storage that no test may reach: the block of an InlineWorker stands in for it.
    return DistributedQ("redis://localhost:1/0")


class TestInlineWorker:
    def test_tasks_run_in_this_thread_in_their_order(self, app: DistributedQ) -> None:
        ran: list[str] = []

        @app.task
        def note(name: str) -> str:
            ran.append(name)
            return name.upper()

        @app.task
        async def anote(name: str) -> None:
            ran.append(name)
            note.submit("from a task")

        with InlineWorker(app) as worker:
            first = note.submit("first")
            anote.options(priority=0).submit("urgent")
            assert [task.type for task in worker.run()] == ["anote", "note", "note"]
            assert ran == ["urgent", "first", "from a task"]
            assert first.result(0) == "FIRST"
            assert worker.run() == []

    def test_time_stands_still_until_it_is_moved(self, app: DistributedQ) -> None:
        ran: list[int] = []

        @app.task
        def note(number: int) -> None:
            ran.append(number)

        with InlineWorker(app) as worker:
            note.options(delay=3600).submit(2)
            note.options(delay=60).submit(1)
            worker.run()
            assert ran == []
            worker.advance(minutes=59, seconds=59)
            assert ran == [1]
            worker.advance(seconds=1)
            assert ran == [1, 2]

    def test_retries_happen_on_the_way(self, app: DistributedQ) -> None:
        @app.task(retry=Retry(max_retries=2, policy=EVERY_MINUTE))
        def fail_twice() -> int:
            failures = current_task().retry_count
            if failures < 2:
                raise ConnectionError
            return failures

        with InlineWorker(app) as worker:
            handle = fail_twice.submit()
            worker.advance(minutes=1)
            task = handle.task()
            assert task is not None
            assert (task.status, task.retry_count) == (TaskStatus.RETRYING, 2)
            worker.advance(hours=1)
            assert handle.result(0) == 2

    def test_what_was_submitted_can_be_asserted(self, app: DistributedQ) -> None:
        @app.task
        def send(to: str, subject: str = "") -> None: ...

        @app.task
        def other() -> None: ...

        with InlineWorker(app) as worker:
            send.submit("a@example.org", subject="hi")
            send.submit("b@example.org")
            assert worker.assert_submitted(send, to="b@example.org").data == {"to": "b@example.org"}
            worker.assert_not_submitted(other)
            with pytest.raises(
                AssertionError, match=r"No task send with .*'c'.* there are:\n  \{'to': 'a@example.org'"
            ):
                worker.assert_submitted(send, to="c")
            with pytest.raises(AssertionError, match="2 tasks send were submitted"):
                worker.assert_not_submitted(send)
            assert [task.data["to"] for task in worker.submitted()] == ["a@example.org", "b@example.org"]

    def test_tasks_that_submit_each_other_for_ever_are_an_error(self, app: DistributedQ) -> None:
        @app.task
        def again() -> None:
            again.submit()

        with InlineWorker(app) as worker:
            again.submit()
            with pytest.raises(RuntimeError, match="do they submit each other"):
                worker.run()

    def test_the_storage_of_the_application_is_back_afterwards(self) -> None:
        with DistributedQ("memory://") as app:

            @app.task
            def note() -> None: ...

            note.submit()
            with InlineWorker(app):
                note.submit()
                note.submit()
            assert app.queue.size() == 1


class TestVerdicts:
    """What becomes of a task whose handler raises."""

    def test_errors_that_are_not_to_be_retried_end_the_task(self, app: DistributedQ) -> None:
        kinds = {"value": ValueError, "connection": ConnectionError, "refused": ConnectionRefusedError}

        @app.task(retry=Retry(on=(ConnectionError,), give_up_on=(ConnectionRefusedError,)))
        def fail(kind: str) -> None:
            raise kinds[kind](kind)

        with InlineWorker(app) as worker:
            handles = [fail.submit(kind) for kind in kinds]
            worker.advance(hours=1)
            ended = [task for handle in handles if (task := handle.task())]
        assert [(task.retry_count, task.reason) for task in ended] == [
            (1, "not-retried"),
            (4, "failed"),
            (1, "not-retried"),
        ]

    def test_the_delay_may_be_worked_out_by_a_function(self, app: DistributedQ) -> None:
        asked: list[tuple[int, str]] = []

        def delay(failures: int, error: BaseException) -> float:
            asked.append((failures, str(error)))
            return 60.0 * failures

        @app.task(retry=Retry(max_retries=2, delay=delay))
        def fail() -> None:
            raise ValueError("no")

        with InlineWorker(app) as worker:
            handle = fail.submit()
            worker.advance(minutes=2, seconds=59)
            task = handle.task()
            assert task is not None
            assert (str(task.status), task.retry_count) == ("retrying", 2)
            worker.advance(seconds=1)
            task = handle.task()
            assert task is not None
            assert (str(task.status), task.retry_count) == ("dead", 3)
        assert asked == [(1, "no"), (2, "no"), (3, "no")]

    def test_a_delay_function_that_fails_leaves_the_default(self, app: DistributedQ) -> None:
        def delay(failures: int, error: BaseException) -> float:
            raise KeyError(failures, error)

        @app.task(retry=Retry(delay=delay))
        def fail() -> None:
            raise ValueError

        with InlineWorker(app) as worker:
            handle = fail.submit()
            worker.run()
            task = handle.task()
            assert task is not None
            assert str(task.status) == "retrying"

    def test_no_try_begins_after_max_elapsed(self, app: DistributedQ) -> None:
        @app.task(retry=Retry(max_retries=100, policy=EVERY_MINUTE, max_elapsed=150))
        def fail() -> None:
            raise ValueError

        with InlineWorker(app) as worker:
            handle = fail.submit()
            worker.advance(hours=1)
            task = handle.task()
            assert task is not None
            assert (str(task.status), task.reason, task.retry_count) == ("dead", "max-elapsed", 3)

    def test_a_handler_says_when_to_try_again(self, app: DistributedQ) -> None:
        @app.task(retry=Retry(max_retries=1))
        def throttled() -> None:
            raise RetryLater(300, "the service said so")

        with InlineWorker(app) as worker:
            handle = throttled.submit()
            worker.advance(seconds=299)
            task = handle.task()
            assert task is not None
            assert (str(task.status), task.retry_count) == ("retrying", 1)
            worker.advance(seconds=1)
            task = handle.task()
            assert task is not None
            assert (str(task.status), task.retry_count) == ("dead", 2)
            assert task.error == "RetryLater: the service said so"

    def test_a_snooze_is_no_failure(self, app: DistributedQ) -> None:
        @app.task(retry=Retry(max_retries=0))
        def early() -> int:
            task = current_task()
            if task.attempt < 4:
                raise Snooze(3600)
            return task.retry_count

        with InlineWorker(app) as worker:
            handle = early.submit()
            worker.run()
            task = handle.task()
            assert task is not None
            assert str(task.status) == "scheduled"
            worker.advance(hours=3)
            assert handle.result(0) == 0

    def test_a_discarded_task_is_cancelled(self, app: DistributedQ) -> None:
        @app.task
        def needless() -> None:
            raise Discard

        with InlineWorker(app) as worker:
            handle = needless.submit()
            worker.run()
            task = handle.task()
            assert task is not None
            assert (str(task.status), task.retry_count) == ("cancelled", 0)

    def test_a_dead_letter_has_the_reason_that_the_handler_gave(self, app: DistributedQ) -> None:
        @app.task
        def hopeless() -> None:
            raise DeadLetter("no such customer", "customer 7 was deleted")

        with InlineWorker(app) as worker:
            handle = hopeless.submit()
            worker.run()
            task = handle.task()
            assert task is not None
            assert (str(task.status), task.reason) == ("dead", "no such customer")
            assert task.error == "DeadLetter: customer 7 was deleted"

    @pytest.mark.parametrize("make", [RetryLater, Snooze])
    def test_a_senseless_delay_is_refused(self, make: type[RetryLater | Snooze]) -> None:
        with pytest.raises(ValueError, match="from 0 to 366 days"):
            make(-1)

    def test_a_tasks_own_retries_count_before_the_functions(self, app: DistributedQ) -> None:
        @app.task(retry=Retry(max_retries=5))
        def fail() -> None:
            raise ValueError

        with InlineWorker(app) as worker:
            handle = fail.options(max_retries=1).submit()
            worker.queue.put(Task(1, {"type": "fail", "data": {}}, task_id="theirs"))
            worker.advance(hours=1)
            ours, theirs = handle.task(), worker.queue.get_task("theirs")
            assert ours is not None
            assert theirs is not None
            assert (ours.retry_count, theirs.retry_count) == (2, 6)
