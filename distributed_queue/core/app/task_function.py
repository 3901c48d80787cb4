"""A function that can be called here, or submitted to run elsewhere."""

from __future__ import annotations

import functools
import inspect
from contextlib import AsyncExitStack, ExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, ParamSpec, TypeVar

import msgspec

from distributed_queue.core.app.dependencies import afill, check_dependencies, fill
from distributed_queue.core.app.handle import TaskHandle
from distributed_queue.core.task import DEFAULT_PRIORITY, Task
from distributed_queue.errors import InvalidArguments, InvalidTask

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from distributed_queue.core.app.app import DistributedQ
    from distributed_queue.core.app.signature import Signature
    from distributed_queue.core.retry import Retry

P = ParamSpec("P")
R = TypeVar("R")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a task function's tasks are submitted. What is None is left to the queue's defaults."""

    queue: str = "default"
    priority: int = DEFAULT_PRIORITY
    delay: float | timedelta | None = None
    execute_after: float | datetime | None = None
    expires_at: float | datetime | None = None
    timeout: float | timedelta | None = None
    max_retries: int | None = None
    task_id: str | None = None


_OPTIONS = frozenset(Options.__struct_fields__)


class Call(NamedTuple):
    """A task function with arguments, not submitted yet; see ``DistributedQ.submit_many``."""

    function: BaseTaskFunction[Any, Any]
    task: Task


class BaseTaskFunction(Generic[P, R]):
    """What task functions of both kinds have. ``P`` is the function's parameters, ``R`` what it returns."""

    def __init__(  # noqa: PLR0913 - what a task function is made of
        self,
        app: DistributedQ,
        function: Callable[..., Any],
        *,
        name: str,
        signature: Signature,
        retry: Retry | None,
        timeout: float | None,
        executor: str | None,
        options: Options,
    ) -> None:
        functools.update_wrapper(self, function)  # type: ignore[arg-type]  # for its name and docstring
        self.app = app
        self.function = function
        """The function itself."""
        self.name = name
        """The task type: ``payload["type"]``."""
        self.retry = retry
        self.timeout = timeout
        """Longest run in seconds, for tasks that have none of their own."""
        self.executor = executor
        """Where it runs: see ``Worker.register_handler``."""
        self._signature = signature
        self._options = options
        self._dependencies = check_dependencies(function)

    # Submitting

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """Store a task that runs the function with these arguments.

        Raises ``InvalidArguments`` where the function cannot be called with them, and ``QueueFull``.
        """
        task = self._task(args, kwargs)
        with self.app.submitting(task):
            self.app.queue.enqueue((task,))
        return self.handle(task.task_id)

    async def asubmit(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """See ``submit``. What coroutines submit at the same time is stored in one step."""
        task = self._task(args, kwargs)
        with self.app.submitting(task):
            await (await self.app.open_async()).enqueue((task,))
        return self.handle(task.task_id)

    def submit_many(self, calls: Iterable[tuple[Any, ...] | Mapping[str, Any]]) -> list[TaskHandle[R]]:
        """Store a task for each tuple of positional arguments, or mapping of named ones: all, or none."""
        tasks = [self._task_of(each) for each in calls]
        with self.app.submitting(*tasks):
            self.app.queue.enqueue(tasks)
        return [self.handle(task.task_id) for task in tasks]

    async def asubmit_many(self, calls: Iterable[tuple[Any, ...] | Mapping[str, Any]]) -> list[TaskHandle[R]]:
        """See ``submit_many``."""
        tasks = [self._task_of(each) for each in calls]
        with self.app.submitting(*tasks):
            await (await self.app.open_async()).enqueue(tasks)
        return [self.handle(task.task_id) for task in tasks]

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """The task that ``submit`` would store, for ``DistributedQ.submit_many``."""
        return Call(self, self._task(args, kwargs))

    def handle(self, task_id: str) -> TaskHandle[R]:
        """The handle of a task of this function that was submitted before, by whichever process."""
        return TaskHandle(self.app, task_id, self._signature)

    # The worker's side

    def run(self, data: Any) -> Any:
        """Call the function with a task's data; what it returned, as it is stored."""
        args, kwargs = self._signature.decode(data)
        with ExitStack() as stack:
            self.app.around_run(stack)
            return self._signature.encode_result(self._call(stack, args, kwargs))

    async def arun(self, data: Any) -> Any:
        """``run`` for an ``async def`` function."""
        args, kwargs = self._signature.decode(data)
        async with AsyncExitStack() as stack:
            await self.app.around_async_run(stack)
            return self._signature.encode_result(await self._acall(stack, args, kwargs))

    @property
    def handler(self) -> Callable[[Any], Any]:
        """The function as workers call it: with the task's data."""
        return self.arun if inspect.iscoroutinefunction(self.function) else self.run

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def _call(self, stack: ExitStack, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call the function, with what it depends on."""
        missing = {name: each for name, each in self._dependencies.items() if name not in kwargs}
        return self.function(*args, **{**kwargs, **fill(missing, stack, self.app.resources)})

    async def _acall(self, stack: AsyncExitStack, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        missing = {name: each for name, each in self._dependencies.items() if name not in kwargs}
        return await self.function(*args, **{**kwargs, **await afill(missing, stack, self.app.resources)})

    def _with(self, options: dict[str, Any]) -> Any:
        unknown = options.keys() - _OPTIONS
        if unknown:
            known = ", ".join(sorted(_OPTIONS))
            raise TypeError(f"{', '.join(sorted(unknown))} is no option; there are {known}")
        changed = msgspec.structs.replace(self._options, **options)
        return type(self)(
            self.app,
            self.function,
            name=self.name,
            signature=self._signature,
            retry=self.retry,
            timeout=self.timeout,
            executor=self.executor,
            options=changed,
        )

    def _task_of(self, call: Any) -> Task:
        if isinstance(call, dict):
            return self._task((), call)
        if isinstance(call, tuple):
            return self._task(call, {})
        raise InvalidArguments(f"{self.name}: {call!r:.80} is neither a tuple of arguments nor a dictionary of them")

    def _task(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Task:
        options = self._options
        payload = {"type": self.name, "data": self._signature.encode(args, kwargs)}
        task = Task(options.priority, payload, queue=options.queue)
        if options.delay is not None:
            task.delay = _seconds("delay", options.delay)
        if options.execute_after is not None:
            task.execute_after = _seconds("execute_after", options.execute_after)
        if options.expires_at is not None:
            task.expires_at = _seconds("expires_at", options.expires_at)
        if options.timeout is not None:
            task.timeout = _seconds("timeout", options.timeout)
        if options.max_retries is not None:
            task.max_retries = options.max_retries
        if options.task_id is not None:
            task.task_id = options.task_id
        return task


class TaskFunction(BaseTaskFunction[P, R]):
    """A ``def`` function. Calling it runs it here, at once, as if it were no task."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here."""
        with ExitStack() as stack:
            result: R = self._call(stack, args, kwargs)
        return result

    def options(self, **options: Any) -> TaskFunction[P, R]:
        """The same function with other options for its tasks: the fields of ``Options``."""
        changed: TaskFunction[P, R] = self._with(options)
        return changed


class AsyncTaskFunction(BaseTaskFunction[P, R]):
    """An ``async def`` function. Calling it gives its coroutine, as if it were no task."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Give the function's coroutine."""
        return self._await(args, kwargs)

    async def _await(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> R:
        async with AsyncExitStack() as stack:
            result: R = await self._acall(stack, args, kwargs)
        return result

    def options(self, **options: Any) -> AsyncTaskFunction[P, R]:
        """The same function with other options for its tasks: the fields of ``Options``."""
        changed: AsyncTaskFunction[P, R] = self._with(options)
        return changed


def _seconds(field: str, value: float | timedelta | datetime) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidTask(f"{field} is {value.isoformat()}, without a time zone", field=field)
        return value.timestamp()
    return value
