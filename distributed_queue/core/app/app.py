"""The application: a storage, and the functions that are its tasks."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from distributed_queue.core.app.dependencies import Resources
from distributed_queue.core.app.middleware import Middleware
from distributed_queue.core.app.signature import Signature, local_names_of_caller
from distributed_queue.core.app.task_function import AsyncTaskFunction, BaseTaskFunction, Options, TaskFunction
from distributed_queue.core.async_queue import AsyncQueue
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.task import DEFAULT_PRIORITY
from distributed_queue.core.worker import Worker, WorkerConfig, current_task
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
    from contextlib import AsyncExitStack
    from types import TracebackType

    from typing_extensions import Self

    from distributed_queue.core.app.handle import TaskHandle
    from distributed_queue.core.app.task_function import Call
    from distributed_queue.core.retry import Retry
    from distributed_queue.core.task import Task
    from distributed_queue.core.worker import WorkerPool

P = ParamSpec("P")
R = TypeVar("R")

URL_VARIABLE = "DQ_STORAGE_URL"


class DistributedQ:
    """Typed task functions over one storage.

    ``url`` names the storage; without it, the environment variable ``DQ_STORAGE_URL`` does, when it is first needed.
    ``middleware`` is called around each submission and run; further options are those of ``HybridQueue``.
    Nothing is opened before the first submission; thread-safe.
    """

    def __init__(self, url: str | None = None, *, middleware: Sequence[Middleware] = (), **options: Any) -> None:
        self.named_url = url
        """The storage that the program names; None leaves it to the environment."""
        self._options = options
        self._middleware = tuple(middleware)
        self.resources = Resources()
        """What its functions depend on with ``scope="app"``."""
        self._functions: dict[str, BaseTaskFunction[Any, Any]] = {}
        self._lock = threading.RLock()
        self._queue: HybridQueue | None = None
        self._async_queue: AsyncQueue | None = None

    @property
    def url(self) -> str:
        """Where the tasks are. Raises ``ConfigurationError`` where neither the program nor the environment says."""
        url = self.named_url or os.environ.get(URL_VARIABLE)
        if not url:
            raise ConfigurationError(
                f"Where are the tasks to be kept? Say DistributedQ('sqlite:///tasks.db'), or set {URL_VARIABLE}"
            )
        return url

    @property
    def tasks(self) -> Mapping[str, BaseTaskFunction[Any, Any]]:
        """The task functions by name."""
        return self._functions

    # Declaring

    @overload
    def task(  # type: ignore[overload-overlap]  # a coroutine function is a function too; the first one that fits counts
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTaskFunction[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> TaskFunction[P, R]: ...
    @overload
    def task(
        self,
        /,
        *,
        name: str | None = ...,
        queue: str = ...,
        priority: int = ...,
        retry: Retry | None = ...,
        timeout: float | None = ...,
        executor: str | None = ...,
    ) -> _Decorator: ...
    def task(self, function: Any = None, /, **settings: Any) -> Any:
        """Make a task of a function: ``@app.task`` or ``@app.task(…)``.

        ``name`` is the task type; the function's own name by default, so that it may move between modules while tasks
        wait. ``queue``, ``priority`` and ``timeout`` (seconds) are defaults that ``options`` can change, ``retry`` says
        which failures are tried again. ``executor="process"`` lets it run in a child process.
        Raises ``ConfigurationError`` if the name is taken.
        """
        if function is not None:
            return self._declare(function, local_names_of_caller(function, 1))
        return lambda function: self._declare(function, local_names_of_caller(function, 1), **settings)

    def _declare(  # noqa: PLR0913 - what ``task`` takes
        self,
        function: Callable[..., Any],
        local_names: Mapping[str, Any] | None,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int = DEFAULT_PRIORITY,
        retry: Retry | None = None,
        timeout: float | None = None,
        executor: str | None = None,
    ) -> BaseTaskFunction[Any, Any]:
        kind: type[BaseTaskFunction[Any, Any]] = (
            AsyncTaskFunction if inspect.iscoroutinefunction(function) else TaskFunction
        )
        made = kind(
            self,
            function,
            name=name or function.__name__,
            signature=Signature(function, local_names),
            retry=retry,
            timeout=timeout,
            executor=executor,
            options=Options(queue=queue, priority=priority),
        )
        with self._lock:
            known = self._functions.get(made.name)
            if known is not None and _place(known.function) != _place(made.function):
                raise ConfigurationError(
                    f"There is a task {made.name!r} already, {_place(known.function)}; give this one another name: "
                    f"@app.task(name=…)"
                )
            self._functions[made.name] = made
        return made

    # Submitting

    def submit_many(self, calls: Iterable[Call]) -> list[TaskHandle[Any]]:
        """Store tasks of several functions in one step: all, or none. Make them with ``function.call(…)``."""
        every = list(calls)
        tasks = [call.task for call in every]
        with self.submitting(*tasks):
            self.queue.enqueue(tasks)
        return [call.function.handle(call.task.task_id) for call in every]

    async def asubmit_many(self, calls: Iterable[Call]) -> list[TaskHandle[Any]]:
        """See ``submit_many``."""
        every = list(calls)
        tasks = [call.task for call in every]
        with self.submitting(*tasks):
            await (await self.open_async()).enqueue(tasks)
        return [call.function.handle(call.task.task_id) for call in every]

    @contextmanager
    def submitting(self, *tasks: Task) -> Iterator[None]:
        """What the middleware does around the storing of tasks."""
        with ExitStack() as stack:
            for each in self._middleware:
                stack.enter_context(each.around_submit(tasks))
                for task in tasks:
                    each.before_submit(task)
            yield
            for each in reversed(self._middleware):
                for task in tasks:
                    each.after_submit(task)

    def around_run(self, stack: ExitStack) -> None:
        """Let ``stack`` do what the middleware does around the run of a function."""
        if self._middleware:
            task = current_task()
            for each in self._middleware:
                stack.enter_context(each.around_run(task))

    async def around_async_run(self, stack: AsyncExitStack) -> None:
        """See ``around_run``."""
        if self._middleware:
            task = current_task()
            for each in self._middleware:
                await stack.enter_async_context(each.around_async_run(task))

    # Working

    def worker(self, config: WorkerConfig | None = None) -> Worker:
        """A worker in this process that has the functions as handlers; ``start`` it."""
        made = Worker(self.queue, config)
        self.register(made)
        return made

    def register(self, workers: Worker | WorkerPool) -> None:
        """Let a worker, or a pool of them, run the functions."""
        for name, function in self._functions.items():
            workers.register_handler(
                name, function.handler, retry=function.retry, timeout=function.timeout, executor=function.executor
            )
        for each in self._middleware:
            if type(each).after_exchange is not Middleware.after_exchange:
                workers.after_exchange(each.after_exchange)

    # Life

    @property
    def queue(self) -> HybridQueue:
        """The queue underneath. It is opened when it is first asked for: raises ``StorageUnavailable``."""
        if self._queue is None:
            with self._lock:
                if self._queue is None:
                    self._queue = HybridQueue.from_url(self.url, **self._options)
        return self._queue

    @property
    def async_queue(self) -> AsyncQueue:
        """The same queue for coroutines. The first use may block while the storage is opened: see ``open_async``."""
        if self._async_queue is None:
            with self._lock:
                if self._async_queue is None:
                    self._async_queue = AsyncQueue(self.queue)
        return self._async_queue

    async def open_async(self) -> AsyncQueue:
        """``async_queue``, opened without blocking the event loop."""
        if self._async_queue is None:
            await asyncio.to_thread(lambda: self.async_queue)
        return self.async_queue

    def use(self, queue: HybridQueue) -> Callable[[], None]:
        """Work over this queue from now on: for tests. Returns a function that goes back to what there was."""
        with self._lock:
            before = self._queue, self._async_queue
            self._queue, self._async_queue = queue, None

        def restore() -> None:
            with self._lock:
                used = self._async_queue
                self._queue, self._async_queue = before
            if used is not None:
                used.end()

        return restore

    def close(self) -> None:
        """Finish what was submitted, close the queue, and clean up what the functions depend on.

        All of it is opened again when it is needed again.
        """
        with self._lock:
            queue, self._queue = self._queue, None
            async_queue, self._async_queue = self._async_queue, None
        if async_queue is not None:
            async_queue.end()
        try:
            if queue is not None:
                queue.close()
        finally:
            self.resources.close()

    async def aclose(self) -> None:
        """See ``close``."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


class _Decorator(Protocol):
    """The type of ``app.task(…)``."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # as above
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTaskFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> TaskFunction[P, R]: ...


def _place(function: Callable[..., Any]) -> str:
    """Where a function is defined: a module that is imported again defines the same one."""
    return f"{function.__module__}.{function.__qualname__}"
