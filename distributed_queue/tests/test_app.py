"""Typed task functions as programs use them."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec
import pydantic
import pytest

from distributed_queue import DistributedQ, Retry, Task, TaskHandle, WorkerConfig
from distributed_queue.errors import ConfigurationError, InvalidArguments, InvalidTask, QueueFull
from distributed_queue.tests.steps import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.worker import Worker


class Colour(Enum):
    RED = "red"


@dataclass
class Receipt:
    to: str
    at: datetime


class Point(msgspec.Struct):
    x: int
    y: int = 0


class Order(pydantic.BaseModel):
    number: int
    at: datetime


NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


@pytest.fixture
def app(storage_url: str) -> Iterator[DistributedQ]:
    with DistributedQ(storage_url) as app:
        yield app


@pytest.fixture
def bare() -> Iterator[DistributedQ]:
    """An application whose storage is of no concern."""
    with DistributedQ("memory://") as app:
        yield app


@pytest.fixture
def work(app: DistributedQ) -> Iterator[Any]:
    """Start a worker that has the functions declared so far."""
    started: list[Worker] = []

    def start() -> None:
        worker = app.worker(WorkerConfig(shutdown_timeout=5.0))
        worker.start()
        started.append(worker)

    yield start
    for worker in started:
        worker.stop()


class TestSubmitting:
    def test_the_example_of_the_documentation(self, app: DistributedQ, work: Any) -> None:
        @app.task(queue="mail", priority=10, retry=Retry(max_retries=5, on=(ConnectionError,)), timeout=30)
        def send_email(to: str, subject: str) -> Receipt:
            return Receipt(f"{to}: {subject}", NOON)

        assert send_email("a@example.org", "hi") == Receipt("a@example.org: hi", NOON)
        work()
        handle = send_email.submit("a@example.org", subject="hi")
        assert handle.result(timeout=LIMIT) == Receipt("a@example.org: hi", NOON)
        task = handle.task()
        assert task is not None
        assert (task.queue, task.priority, task.type) == ("mail", 10, "send_email")
        assert task.data == {"to": "a@example.org", "subject": "hi"}

    def test_coroutines_submit_and_await(self, app: DistributedQ, work: Any) -> None:
        @app.task
        async def double(number: int) -> int:
            return 2 * number

        async def main() -> list[int]:
            handles = await asyncio.gather(*(double.asubmit(number) for number in range(20)))
            (last,) = await double.asubmit_many([(50,)])
            return [*(await asyncio.gather(*handles)), await last.aresult(LIMIT), await double(5)]

        work()
        assert asyncio.run(main()) == [*range(0, 40, 2), 100, 10]

    def test_many_are_stored_in_one_step(self, bare: DistributedQ) -> None:
        @bare.task
        def add(a: int, b: int = 0) -> int:
            return a + b

        handles = add.submit_many([(1, 2), {"a": 3}, (4,)])
        assert [handle.task().data for handle in handles] == [{"a": 1, "b": 2}, {"a": 3}, {"a": 4}]  # type: ignore[union-attr]
        with pytest.raises(InvalidArguments, match="neither a tuple"):
            add.submit_many([(1,), 5])  # type: ignore[list-item]
        assert bare.queue.size() == 3

    def test_tasks_of_several_functions_are_stored_in_one_step(self, bare: DistributedQ) -> None:
        @bare.task
        def one(a: int) -> int:
            return a

        @bare.task(queue="others")
        def other() -> None: ...

        handles = bare.submit_many([one.call(1), other.call()])
        assert [handle.task().type for handle in handles] == ["one", "other"]  # type: ignore[union-attr]

    def test_options_change_one_submission(self, bare: DistributedQ) -> None:
        @bare.task
        def work() -> None: ...

        later = datetime.now(timezone.utc) + timedelta(days=1)
        task = (
            work.options(
                queue="q",
                priority=3,
                delay=timedelta(minutes=1),
                expires_at=later,
                timeout=5,
                max_retries=1,
                task_id="t1",
            )
            .submit()
            .task()
        )
        assert task is not None
        assert (task.task_id, task.queue, task.priority, task.timeout, task.max_retries) == ("t1", "q", 3, 5, 1)
        assert str(task.status) == "scheduled"
        assert task.expires_at == pytest.approx(later.timestamp(), abs=0.001)
        plain = work.submit().task()
        assert plain is not None
        assert plain.queue == "default"

    def test_an_id_that_is_known_is_not_stored_twice(self, bare: DistributedQ) -> None:
        @bare.task
        def work(number: int) -> None: ...

        once = work.options(task_id="once")
        assert once.submit(1).id == once.submit(2).id == "once"
        assert bare.queue.size() == 1

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"que": "x"}, TypeError, "que is no option; there are delay"),
            ({"execute_after": datetime(2026, 1, 1)}, InvalidTask, "without a time zone"),  # noqa: DTZ001 - the mistake
            ({"priority": -1}, InvalidTask, "priority is -1"),
        ],
    )
    def test_a_wrong_option_is_refused(
        self, bare: DistributedQ, options: dict[str, Any], error: type[Exception], words: str
    ) -> None:
        @bare.task
        def work() -> None: ...

        with pytest.raises(error, match=words):
            work.options(**options).submit()

    def test_a_full_queue_says_so(self) -> None:
        with DistributedQ("memory://", max_size=1) as app:

            @app.task
            def work() -> None: ...

            work.submit()
            with pytest.raises(QueueFull):
                work.submit()


class TestArguments:
    def test_values_of_many_types_arrive_as_they_were(self, app: DistributedQ, work: Any) -> None:
        number = uuid.uuid4()
        seen: list[Any] = []

        @app.task
        def take(
            at: datetime, span: timedelta, key: uuid.UUID, price: Decimal, blob: bytes, colour: Colour, order: Order,
            points: list[Point], by_number: dict[int, str], names: set[str], receipt: Receipt | None = None,
        ) -> Order:  # fmt: skip
            seen.append((at, span, key, price, blob, colour, order, points, by_number, names, receipt))
            return order

        work()
        given = (NOON, timedelta(hours=2), number, Decimal("1.10"), b"\0\xff", Colour.RED, Order(number=1, at=NOON),
                 [Point(1), Point(2, 3)], {7: "seven"}, {"a"}, Receipt("b", NOON))  # fmt: skip
        assert take.submit(*given).result(LIMIT) == Order(number=1, at=NOON)
        assert seen == [given]

    def test_positional_only_and_variadic_parameters(self, app: DistributedQ, work: Any) -> None:
        @app.task
        def every(first: int, /, second: int, *rest: int, key: str = "k", **more: float) -> list[Any]:
            return [first, second, list(rest), key, more]

        work()
        assert every.submit(1, 2, 3, 4, key="x", z=1.5).result(LIMIT) == [1, 2, [3, 4], "x", {"z": 1.5}]
        assert every.submit(1, second=2).result(LIMIT) == [1, 2, [], "k", {}]

    @pytest.mark.parametrize(
        ("args", "kwargs", "words"),
        [
            ((), {}, r"greet\(name: str, times: int = 1\) -> str: missing a required argument: 'name'"),
            (("a", 1, 2), {}, "too many positional arguments"),
            (("a",), {"name": "b"}, "multiple values for argument 'name'"),
            (("a",), {"time": 1}, "unexpected keyword argument 'time'"),
            ((5,), {}, r"Expected `str`, got `int` - at `\$.name`"),
            (("a", "b"), {}, r"Expected `int`, got `str` - at `\$.times`"),
            ((object(),), {}, "a builtins.object cannot be converted"),
        ],
    )
    def test_wrong_arguments_fail_at_the_call_with_the_signature(
        self, bare: DistributedQ, args: tuple[Any, ...], kwargs: dict[str, Any], words: str
    ) -> None:
        @bare.task
        def greet(name: str, times: int = 1) -> str:
            return name * times

        with pytest.raises(InvalidArguments, match=words) as caught:
            greet.submit(*args, **kwargs)
        assert "greet(name: str" in str(caught.value)
        assert isinstance(caught.value, TypeError)
        assert bare.queue.size() == 0

    def test_a_client_in_another_language_sends_plain_json(self, app: DistributedQ, work: Any) -> None:
        @app.task
        def after(at: datetime, hours: int = 1) -> datetime:
            return at + timedelta(hours=hours)

        work()
        payload = {"type": "after", "data": {"at": "2026-01-02T12:00:00Z"}}
        app.queue.put(Task(1, payload, task_id="theirs"))
        assert app.queue.wait_result("theirs", LIMIT) == "2026-01-02T13:00:00Z"
        assert after.handle("theirs").result(LIMIT) == NOON + timedelta(hours=1)

    def test_data_that_does_not_fit_is_a_dead_letter_at_once(self, app: DistributedQ, work: Any) -> None:
        @app.task
        def after(at: datetime) -> None: ...

        work()
        app.queue.put(Task(1, {"type": "after", "data": {"at": "noon"}}, task_id="theirs"))
        task = app.queue.wait("theirs", LIMIT)
        assert (str(task.status), task.reason, task.retry_count) == ("dead", "invalid-arguments", 1)
        assert "after(at: datetime) -> None cannot be called with the task's data" in (task.error or "")

    def test_annotations_that_cannot_be_resolved_are_named(self, bare: DistributedQ) -> None:
        def work(number: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - the mistake

        made = bare.task(work)
        with pytest.raises(ConfigurationError, match="'Missing' is not defined"):
            made.submit(1)


class TestDeclaring:
    def test_a_second_task_of_a_name_is_refused_unless_it_is_the_same(self, bare: DistributedQ) -> None:
        def work() -> None: ...

        bare.task(work)
        bare.task(work)
        with pytest.raises(ConfigurationError, match=r"There is a task 'work' already"):

            @bare.task(name="work")
            def other() -> None: ...

    def test_without_a_storage_it_says_how_to_name_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DQ_STORAGE_URL", raising=False)
        app = DistributedQ()

        @app.task
        def work() -> None: ...

        with pytest.raises(ConfigurationError, match="DQ_STORAGE_URL"):
            work.submit()
        monkeypatch.setenv("DQ_STORAGE_URL", "memory://")
        assert isinstance(work.submit(), TaskHandle)
        app.close()

    def test_it_can_be_closed_while_it_was_not_used_and_used_again(self, sqlite_url: str) -> None:
        app = DistributedQ(sqlite_url)
        app.close()

        @app.task
        def work() -> None: ...

        handle = work.submit()
        app.close()
        assert handle.task() is not None
        app.close()
