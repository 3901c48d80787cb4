"""The worker's side of the backend: running a function of ``django.tasks``, and telling Django's signals of it."""

from __future__ import annotations

from traceback import format_exception
from typing import TYPE_CHECKING, Any

from distributed_queue.core.worker import current_task
from distributed_queue.errors import Verdict
from distributed_queue.integrations.django.interface import TaskContext, task_finished, task_started
from distributed_queue.integrations.django.results import failed, successful, to_result

if TYPE_CHECKING:
    from distributed_queue.integrations.django.interface import Task, TaskResult


class Runs:
    """The runs of one function."""

    def __init__(self, sender: type[Any], task: Task, backend: str, max_retries: int) -> None:
        self._sender = sender
        self._task = task
        self._backend = backend
        self._max_retries = max_retries

    def run(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call a ``def`` function."""
        result = to_result(self._task, current_task().task, self._backend)
        # Robust: a receiver that fails is logged, and does not make a run fail.
        task_started.send_robust(self._sender, task_result=result)
        try:
            value = self._task.func(*self._context(result), *args, **kwargs)
        except Exception as error:
            if self._is_final(error):
                task_finished.send_robust(self._sender, task_result=_failure(result, error))
            raise
        task_finished.send_robust(self._sender, task_result=successful(result, value))
        return value

    async def arun(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Await an ``async def`` function."""
        result = to_result(self._task, current_task().task, self._backend)
        await task_started.asend_robust(self._sender, task_result=result)
        try:
            value = await self._task.func(*self._context(result), *args, **kwargs)
        except Exception as error:
            if self._is_final(error):
                await task_finished.asend_robust(self._sender, task_result=_failure(result, error))
            raise
        await task_finished.asend_robust(self._sender, task_result=successful(result, value))
        return value

    def _context(self, result: TaskResult) -> tuple[TaskContext, ...]:
        return (TaskContext(task_result=result),) if self._task.takes_context else ()

    def _is_final(self, error: Exception) -> bool:
        """Whether the task has failed, and not only this attempt."""
        return not isinstance(error, Verdict) and current_task().retry_count >= self._max_retries


def _failure(result: TaskResult, error: Exception) -> TaskResult:
    return failed(result, type(error), "".join(format_exception(type(error), error, error.__traceback__)))
