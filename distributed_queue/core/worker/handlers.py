"""Which function runs which type of task."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed_queue.core.payload import MAX_TYPE_LENGTH
from distributed_queue.core.retry import Retry, RetryPolicy
from distributed_queue.errors import ConfigurationError, UnknownTaskType

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Handler:
    """A function, and the policies for tasks of its type that bring none of their own."""

    function: Callable[[Any], Any]
    is_async: bool
    retry: Retry | None = None
    timeout: float | None = None


class HandlerTable:
    """Types and their handlers."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self.any_async = False
        self.mixed = False
        """Whether some handlers are async and some are not."""

    def register(
        self, task_type: str, function: Callable[[Any], Any], retry: Retry | RetryPolicy | None, timeout: float | None
    ) -> None:
        """Let ``function`` run tasks of this type; a second registration replaces the first."""
        if not isinstance(task_type, str) or not 1 <= len(task_type) <= MAX_TYPE_LENGTH:
            raise ConfigurationError(
                f"{task_type!r:.250} is not a task type: a text of 1 to {MAX_TYPE_LENGTH} characters"
            )
        if not callable(function):
            raise ConfigurationError(f"The handler for {task_type!r} cannot be called: {function!r:.100}")
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is async
        )
        rule = Retry(policy=retry) if isinstance(retry, RetryPolicy) else retry
        # A new dictionary each time: readers in other threads never see one that changes.
        self._handlers = {**self._handlers, task_type: Handler(function, is_async, rule, timeout)}
        kinds = {handler.is_async for handler in self._handlers.values()}
        self.any_async = True in kinds
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
