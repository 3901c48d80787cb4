"""What task functions are given when they run, and what happens around their submissions and runs."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue import Depends, DistributedQ, Middleware, Retry
from distributed_queue.errors import ConfigurationError, InvalidArguments, InvalidTask
from distributed_queue.testing import InlineWorker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from distributed_queue.core.task import Task
    from distributed_queue.core.worker.context import RunningTask


@pytest.fixture
def log() -> list[str]:
    return []


class TestDepends:
    def test_a_value_is_made_for_each_run_and_cleaned_up_after_it(self, log: list[str]) -> None:
        def session() -> Iterator[str]:
            log.append("open")
            yield f"session {log.count('open')}"
            log.append("close")

        app = DistributedQ("memory://")

        @app.task
        def save(item: int, db: str = Depends(session)) -> str:
            log.append(f"save {item}")
            return db

        with InlineWorker(app) as worker:
            handles = [save.submit(number) for number in (7, 8)]
            worker.run()
            assert [handle.result(0) for handle in handles] == ["session 1", "session 2"]
            assert [task.data for task in worker.submitted(save)] == [{"item": 7}, {"item": 8}]
        assert log == ["open", "save 7", "close", "open", "save 8", "close"]

    def test_it_is_cleaned_up_where_the_function_raises_and_hears_of_it(self, log: list[str]) -> None:
        def session() -> Iterator[None]:
            try:
                yield
            except ValueError as error:
                log.append(f"roll back after {error}")
                raise

        app = DistributedQ("memory://")

        @app.task(retry=Retry(max_retries=0))
        def fail(db: None = Depends(session)) -> None:
            raise ValueError("trouble")

        with InlineWorker(app) as worker:
            fail.submit()
            worker.run()
            assert worker.submitted(fail)[0].error == "ValueError: trouble"
        assert log == ["roll back after trouble"]

    def test_factories_share_what_they_depend_on_within_one_run(self, log: list[str]) -> None:
        def connection() -> str:
            log.append("connect")
            return f"connection {len(log)}"

        def users(db: str = Depends(connection)) -> str:
            return f"users of {db}"

        app = DistributedQ("memory://")

        @app.task
        def work(db: str = Depends(connection), repository: str = Depends(users)) -> list[str]:
            return [db, repository]

        assert work() == ["connection 1", "users of connection 1"]
        assert work() == ["connection 2", "users of connection 2"]

    def test_a_plain_call_is_given_it_too_and_may_bring_its_own(self) -> None:
        app = DistributedQ("memory://")

        @app.task
        def work(number: int, db: str = Depends(lambda: "real")) -> tuple[int, str]:
            return number, db

        @app.task
        async def awork(number: int, db: str = Depends(lambda: "real")) -> tuple[int, str]:
            return number, db

        assert work(1) == (1, "real")
        assert work(1, db="fake") == (1, "fake")
        assert asyncio.run(awork(1)) == (1, "real")
        assert asyncio.run(awork(1, db="fake")) == (1, "fake")

    def test_coroutines_depend_on_coroutines(self, log: list[str]) -> None:
        async def connection() -> AsyncIterator[str]:
            log.append("open")
            yield "connection"
            log.append("close")

        async def user(db: str = Depends(connection)) -> str:
            return f"user of {db}"

        app = DistributedQ("memory://")

        @app.task
        async def work(name: str = Depends(user), db: str = Depends(connection)) -> list[str]:
            return [name, db]

        with InlineWorker(app) as worker:
            handle = work.submit()
            worker.run()
            assert handle.result(0) == ["user of connection", "connection"]
        assert log == ["open", "close"]

    def test_what_lives_as_long_as_the_app_is_made_once(self, log: list[str]) -> None:
        def pool() -> Iterator[str]:
            log.append("open")
            yield "pool"
            log.append("close")

        def connection(pool: str = Depends(pool, scope="app")) -> str:
            return f"of {pool}"

        with DistributedQ("memory://") as app:

            @app.task
            def work(db: str = Depends(connection)) -> str:
                return db

            @app.task
            async def awork(pool: str = Depends(pool, scope="app")) -> str:
                return pool

            assert (work(), work(), asyncio.run(awork())) == ("of pool", "of pool", "pool")
            assert log == ["open"]
        assert log == ["open", "close"]

    def test_what_was_made_on_the_workers_loop_is_closed_with_it(self, log: list[str]) -> None:
        async def pool() -> AsyncIterator[int]:
            log.append("open")
            try:
                yield len(log)
            finally:
                await asyncio.sleep(0)
                log.append("close")

        with DistributedQ("memory://") as app:

            @app.task
            async def work(pool: int = Depends(pool, scope="app")) -> int:
                return pool

            worker = app.worker()
            worker.start()
            assert [work.submit().result(20) for _ in range(3)] == [1, 1, 1]
            worker.stop()
        assert log == ["open", "close"]

    def test_a_dependency_is_no_argument(self) -> None:
        app = DistributedQ("memory://")

        @app.task
        def work(number: int, db: str = Depends(lambda: "real")) -> None: ...

        with InlineWorker(app), pytest.raises(InvalidArguments, match=r"work\(number: int\) -> None.*'db'"):
            work.submit(1, db="mine")

    def test_what_cannot_be_made_is_refused_when_it_is_declared(self) -> None:
        async def on_a_loop() -> None: ...

        def for_a_run() -> None: ...

        def for_ever(run: None = Depends(for_a_run)) -> None: ...

        def plain(db: None = Depends(on_a_loop)) -> None: ...

        async def lasting(db: None = Depends(for_ever, scope="app")) -> None: ...

        app = DistributedQ("memory://")
        with pytest.raises(ConfigurationError, match=r"on_a_loop\) is for async def functions"):
            app.task(plain)
        with pytest.raises(ConfigurationError, match=r"lives as long as the app, and .*for_a_run.* only for one run"):
            app.task(lasting)
        with pytest.raises(ConfigurationError, match="needs a function that makes the value"):
            Depends(5)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="scope is 'worker'"):
            Depends(for_a_run, scope="worker")  # type: ignore[arg-type]


class Recorder(Middleware):
    """Writes down what it is told."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log = log
        self.name = name

    def before_submit(self, task: Task) -> None:
        self.log.append(f"{self.name} before {task.type}")
        task.priority = 7

    def after_submit(self, task: Task) -> None:
        self.log.append(f"{self.name} after {task.type}")

    @contextmanager
    def around_run(self, task: RunningTask) -> Iterator[None]:
        self.log.append(f"{self.name} runs {task.type} at {task.priority}")
        try:
            yield
        except ValueError as error:
            self.log.append(f"{self.name} saw {error}")
            raise
        self.log.append(f"{self.name} ran")


class TestMiddleware:
    def test_it_is_called_around_submissions_and_runs_the_first_one_outermost(self, log: list[str]) -> None:
        app = DistributedQ("memory://", middleware=[Recorder(log, "a"), Recorder(log, "b")])

        @app.task
        async def work() -> None:
            log.append("work")

        with InlineWorker(app) as worker:
            work.submit()
            worker.run()
        assert log == [
            "a before work", "b before work", "b after work", "a after work",
            "a runs work at 7", "b runs work at 7", "work", "b ran", "a ran",
        ]  # fmt: skip

    def test_it_sees_what_a_function_raises(self, log: list[str]) -> None:
        app = DistributedQ("memory://", middleware=[Recorder(log, "a")])

        @app.task(retry=Retry(max_retries=0))
        def fail() -> None:
            raise ValueError("trouble")

        with InlineWorker(app) as worker:
            app.submit_many([fail.call()])
            worker.run()
            assert str(worker.submitted(fail)[0].status) == "dead"
        assert log[-1] == "a saw trouble"

    def test_it_may_refuse_a_task(self) -> None:
        class Refusing(Middleware):
            def before_submit(self, task: Task) -> None:
                raise InvalidTask(f"no {task.type} today")

        app = DistributedQ("memory://", middleware=[Refusing()])

        @app.task
        def work() -> None: ...

        with InlineWorker(app) as worker:
            for submit in (work.submit, lambda: work.submit_many([()]), lambda: asyncio.run(_asubmit(work))):
                with pytest.raises(InvalidTask, match="no work today"):
                    submit()
            assert worker.submitted() == []

    def test_a_submission_that_failed_is_not_told_as_done(self, log: list[str]) -> None:
        with DistributedQ("memory://", middleware=[Recorder(log, "a")], max_size=0) as app:

            @app.task
            def work() -> None: ...

            with pytest.raises(Exception, match="full"):
                work.submit()
        assert log == ["a before work"]


async def _asubmit(function: Any) -> None:
    await function.asubmit()
