"""Which function runs which type of task."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from distributed_queue.core.options import check_word
from distributed_queue.core.payload import MAX_TYPE_LENGTH
from distributed_queue.core.retry import Retry, RetryPolicy
from distributed_queue.core.worker.children.wire import Reference
from distributed_queue.errors import ConfigurationError, UnknownTaskType

if TYPE_CHECKING:
    from collections.abc import Callable


class Executor(str, Enum):
    """Where a handler runs."""

    THREAD = "thread"
    LOOP = "loop"
    """The worker's event loop: for ``async def``."""
    PROCESS = "process"
    """A child process."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Handler:
    """A function, and the policies for tasks of its type that bring none of their own."""

    function: Callable[[Any], Any]
    executor: Executor
    retry: Retry | None = None
    timeout: float | None = None
    reference: Reference | None = None
    """Where a child process finds it."""


class HandlerTable:
    """Types and their handlers."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self.only_threads = True
        self.mixed = False
        """Whether they run in more than one way."""

    def register(
        self,
        task_type: str,
        function: Callable[[Any], Any],
        *,
        retry: Retry | RetryPolicy | None = None,
        timeout: float | None = None,
        executor: str | None = None,
    ) -> None:
        """Let ``function`` run tasks of this type; a second registration replaces the first."""
        if not isinstance(task_type, str) or not 1 <= len(task_type) <= MAX_TYPE_LENGTH:
            raise ConfigurationError(
                f"{task_type!r:.250} is not a task type: a text of 1 to {MAX_TYPE_LENGTH} characters"
            )
        if not callable(function):
            raise ConfigurationError(f"The handler for {task_type!r} cannot be called: {function!r:.100}")
        where = _executor(task_type, function, executor)
        # A task function's handler is a method of it; a child looks for the function itself.
        target = getattr(getattr(function, "__self__", None), "function", function)
        handler = Handler(
            function,
            where,
            Retry(policy=retry) if isinstance(retry, RetryPolicy) else retry,
            timeout,
            Reference.to(target) if where is Executor.PROCESS else None,
        )
        # A new dictionary each time: readers in other threads never see one that changes.
        self._handlers = {**self._handlers, task_type: handler}
        kinds = {handler.executor for handler in self._handlers.values()}
        self.only_threads = kinds == {Executor.THREAD}
        self.mixed = len(kinds) > 1

    def find(self, task_type: str) -> Handler:
        """The handler for a type. Raises ``UnknownTaskType``."""
        handler = self._handlers.get(task_type)
        if handler is None:
            raise UnknownTaskType(task_type, list(self._handlers))
        return handler

    def functions(self) -> dict[str, Callable[[Any], Any]]:
        """Type to function."""
        return {task_type: handler.function for task_type, handler in self._handlers.items()}


def _executor(task_type: str, function: Callable[[Any], Any], wanted: str | None) -> Executor:
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is async
    )
    if wanted is None:
        return Executor.LOOP if is_async else Executor.THREAD
    executor = check_word("executor", wanted, Executor)
    if executor is not Executor.PROCESS and (executor is Executor.LOOP) is not is_async:
        kind = "an async def" if is_async else "a def"
        raise ConfigurationError(
            f"The handler for {task_type!r} is {kind} function, which executor={wanted!r} cannot run"
        )
    return executor
