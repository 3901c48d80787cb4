"""The backend for ``django.tasks``: functions that know only Django's interface, run by workers of this queue."""

from __future__ import annotations

from datetime import datetime, timezone
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import msgspec
from django.core.exceptions import ImproperlyConfigured

from distributed_queue.core.retry import Retry
from distributed_queue.integrations.django.application import app
from distributed_queue.integrations.django.interface import BaseTaskBackend, TaskResultDoesNotExist, task_enqueued
from distributed_queue.integrations.django.results import to_django_priority, to_result, to_stored_priority
from distributed_queue.integrations.django.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from distributed_queue.core.app import Call
    from distributed_queue.core.app.task_function import BaseTaskFunction
    from distributed_queue.core.task import Task as StoredTask
    from distributed_queue.integrations.django.interface import Task, TaskResult


class BackendOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``TASKS[…]["OPTIONS"]``: for all tasks of the backend."""

    max_retries: int = 3
    """Tries after the first."""
    timeout: float | None = None
    """Longest run in seconds."""


class DistributedQueueBackend(BaseTaskBackend):  # type: ignore[misc]  # Django has no types
    """``TASKS = {"default": {"BACKEND": "distributed_queue.integrations.django.DistributedQueueBackend"}}``."""

    supports_async_task = True
    supports_defer = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        try:
            self._options = msgspec.convert(self.options, BackendOptions)
        except msgspec.ValidationError as error:
            raise ImproperlyConfigured(f"OPTIONS of TASKS[{alias!r}]: {error}") from error
        self._declared: dict[str, tuple[Task, BaseTaskFunction[Any, Any]]] = {}

    def validate_task(self, task: Task) -> None:
        """Check it. Django does so for each task that a module declares, so this is how workers learn of it."""
        super().validate_task(task)
        if task.module_path not in self._declared:
            self._declared[task.module_path] = task, self._declare(task)

    def enqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """Store a task. Raises ``QueueFull`` and ``StorageUnavailable``, as ``submit`` does."""
        call = self._call(task, args, kwargs)
        app.submit_many([call])
        result = to_result(task, call.task, self.alias)
        task_enqueued.send(type(self), task_result=result)
        return result

    async def aenqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """See ``enqueue``."""
        call = self._call(task, args, kwargs)
        await app.asubmit_many([call])
        result = to_result(task, call.task, self.alias)
        await task_enqueued.asend(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> TaskResult:
        """The task as it is now. Raises ``TaskResultDoesNotExist``, also once its retention is over."""
        return self._result(result_id, app.queue.get_task(result_id))

    async def aget_result(self, result_id: str) -> TaskResult:
        """See ``get_result``."""
        return self._result(result_id, await (await app.open_async()).get_task(result_id))

    def _call(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        self.validate_task(task)
        _, function = self._declared[task.module_path]
        moment = task.run_after
        if moment is not None and moment.tzinfo is None:
            moment = moment.astimezone()  # without USE_TZ Django's times are local ones
        options = {"queue": task.queue_name, "priority": to_stored_priority(task.priority), "execute_after": moment}
        call: Call = function.options(**options).call(list(args), dict(kwargs))  # type: ignore[attr-defined]  # of both
        call.task.created_at = datetime.now(timezone.utc).timestamp()  # nearly: the storage's own clock decides
        return call

    def _result(self, result_id: str, stored: StoredTask | None) -> TaskResult:
        if stored is None or stored.type not in self._declared:
            raise TaskResultDoesNotExist(result_id)
        task = self._declared[stored.type][0].using(
            priority=to_django_priority(stored.priority), queue_name=stored.queue
        )
        return to_result(task, stored, self.alias)

    def _declare(self, task: Task) -> BaseTaskFunction[Any, Any]:
        """Make the function that workers run: its type is the path of Django's."""
        options = self._options
        runs = Runs(type(self), task, self.alias, options.max_retries)
        declare = app.task(name=task.module_path, retry=Retry(max_retries=options.max_retries), timeout=options.timeout)
        function: BaseTaskFunction[Any, Any] = declare(runs.arun if iscoroutinefunction(task.func) else runs.run)
        return function
