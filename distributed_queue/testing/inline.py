"""Tests of an application's tasks: no server, no threads, no waiting."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from distributed_queue.core.app.conversion import to_plain
from distributed_queue.core.clock import ManualClock
from distributed_queue.core.storage import ClaimRequest
from distributed_queue.core.worker.attempt import Attempt
from distributed_queue.core.worker.children import Children
from distributed_queue.core.worker.config import WorkerConfig
from distributed_queue.core.worker.handlers import Executor, HandlerTable
from distributed_queue.core.worker.progress import store_progress
from distributed_queue.core.worker.runner import Runner
from distributed_queue.errors import StorageUnavailable
from distributed_queue.testing.faulty import FaultyStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from distributed_queue.core.app import DistributedQ
    from distributed_queue.core.app.task_function import BaseTaskFunction
    from distributed_queue.core.task import Task

_LEASE_SECONDS = 3600.0
_MOST_RUNS = 10_000


class InlineWorker:
    """Runs an application's tasks in the calling thread, over a storage in memory whose clock stands still.

    In its block the application's submissions go there, whatever storage it names::

        with InlineWorker(app) as worker:
            handle = send_email.submit("ada@example.org", "hello")
            worker.run()
            assert handle.task().status == "completed"
            worker.advance(hours=3)  # runs what becomes due meanwhile, in its order

    The rules are those of a real worker: retries, back-off, dead letters, conversion of arguments and results. Time
    limits are not enforced, since nothing runs beside the handlers, and no child processes are started.

    ``storage`` can be made to fail. An outcome that cannot be reported leaves the task as a worker does that dies after
    its handler has returned: it runs again when its lease is over, an hour later.
    """

    def __init__(self, app: DistributedQ) -> None:
        self.app = app
        self.clock = ManualClock()
        self.storage = FaultyStorage("memory://", self.clock)
        self.queue = self.storage.queue()
        self._handlers = HandlerTable()
        self._runner = Runner(
            self._handlers,
            error_handler=None,
            ended=self._ended,
            limited=lambda _: None,
            keep_progress=lambda attempt: store_progress(self.queue.storage, attempt),
            result_limit_bytes=self.queue.max_body_bytes,
            children=Children(WorkerConfig()),
        )
        self._done: list[Attempt] = []
        self._restore: Callable[[], None] = lambda: None

    def run(self) -> list[Task]:
        """Run all that is ready, and what those tasks submit; the tasks that ran, as they are afterwards.

        Raises ``RuntimeError`` after 10,000 runs: tasks that submit tasks for ever.
        """
        ids: list[str] = []
        while (claimed := self._claim_one()) is not None:
            ids.append(claimed)
            if len(ids) >= _MOST_RUNS:
                raise RuntimeError(f"{_MOST_RUNS:,} tasks ran and there are still more: do they submit each other?")
        return [task for task in map(self.queue.get_task, dict.fromkeys(ids)) if task is not None]

    def advance(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0) -> None:
        """Move the clock on, and run what becomes due on the way, each task at its time."""
        self.run()
        end = self.clock.now() + seconds + 60 * (minutes + 60 * (hours + 24 * days))
        while (due := self._next_due()) <= end:
            self.clock.advance(max(0.0, due - self.clock.now()))
            self.run()
        self.clock.advance(end - self.clock.now())
        self.run()

    def submitted(self, function: BaseTaskFunction[Any, Any] | None = None) -> list[Task]:
        """The tasks submitted so far, whatever became of them, oldest first; those of one function, or all."""
        found = [task for task in self._all() if function is None or task.type == function.name]
        return sorted(found, key=lambda task: (task.created_at or 0.0, task.task_id))

    def assert_submitted(self, function: BaseTaskFunction[Any, Any], /, **arguments: Any) -> Task:
        """The task of ``function`` that has these arguments, others aside. Fails where there is none."""
        wanted = to_plain(arguments)
        tasks = self.submitted(function)
        for task in tasks:
            if all(name in task.data and task.data[name] == value for name, value in wanted.items()):
                return task
        there = "".join(f"\n  {task.data}" for task in tasks) or " none"
        raise AssertionError(f"No task {function.name} with {arguments} was submitted; there are:{there}")

    def assert_not_submitted(self, function: BaseTaskFunction[Any, Any]) -> None:
        """Fail where a task of ``function`` was submitted."""
        tasks = self.submitted(function)
        if tasks:
            raise AssertionError(f"{len(tasks)} tasks {function.name} were submitted, the first with {tasks[0].data}")

    def __enter__(self) -> Self:
        for name, function in self.app.tasks.items():
            self._handlers.register(name, function.handler, retry=function.retry, timeout=function.timeout)
        self._restore = self.app.use(self.queue)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()
        self.queue.close()

    def _claim_one(self) -> str | None:
        """Claim a task that is ready, run it and settle it; its id, or None where there is none."""
        storage = self.queue.storage
        claim = storage.claim(ClaimRequest(storage.queues(), "inline", 1, _LEASE_SECONDS))
        if not claim.tasks:
            return None
        attempt = Attempt(claim.tasks[0], math.inf)
        if self._runner.executor(attempt) is Executor.LOOP:
            asyncio.run(self._runner.run_async(attempt))
        else:
            self._runner.run(attempt)
        while self._done:
            settlement = self._done.pop().settlement
            if settlement is not None:
                with suppress(StorageUnavailable):
                    storage.settle([settlement])
        return attempt.claimed.id

    def _ended(self, attempt: Attempt) -> None:
        self._done.append(attempt)

    def _next_due(self) -> float:
        """When there is something to do again, on the clock; infinity if never."""
        storage = self.queue.storage
        due = storage.claim(ClaimRequest(storage.queues(), "inline", 0, _LEASE_SECONDS)).next_due
        return math.inf if due is None else self.clock.now() + due

    def _all(self) -> list[Task]:
        found: list[Task] = []
        cursor: str | None = None
        while True:
            page = self.queue.find(limit=1000, cursor=cursor)
            found += page
            cursor = page.cursor
            if cursor is None:
                return found
