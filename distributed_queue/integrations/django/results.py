"""A stored task as Django's ``TaskResult``."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from django.conf import settings

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import DEFAULT_PRIORITY
from distributed_queue.integrations.django.interface import TaskError, TaskResult, TaskResultStatus

if TYPE_CHECKING:
    from distributed_queue.core.task import Task as StoredTask
    from distributed_queue.integrations.django.interface import Task

_STATUSES = {
    TaskStatus.PROCESSING: TaskResultStatus.RUNNING,
    TaskStatus.COMPLETED: TaskResultStatus.SUCCESSFUL,
    TaskStatus.DEAD: TaskResultStatus.FAILED,
    TaskStatus.CANCELLED: TaskResultStatus.FAILED,
    TaskStatus.EXPIRED: TaskResultStatus.FAILED,
}
"""All others wait: they are ready."""
_LOWEST, _HIGHEST = -100, 100


def to_stored_priority(priority: int) -> int:
    """Django's higher numbers run first, from -100 to 100; here the lower ones do. The defaults are the same."""
    return DEFAULT_PRIORITY - priority


def to_django_priority(priority: int) -> int:
    """The other way; what others may choose beyond Django's range is cut."""
    return max(_LOWEST, min(_HIGHEST, DEFAULT_PRIORITY - priority))


def to_result(task: Task, stored: StoredTask, backend: str) -> TaskResult:
    """The result of ``task``. What could be told of several attempts is that of the last one."""
    result = TaskResult(
        task=task,
        id=stored.task_id,
        status=_STATUSES.get(stored.status, TaskResultStatus.READY),
        enqueued_at=_moment(stored.created_at),
        started_at=_moment(stored.started_at),
        last_attempted_at=_moment(stored.started_at),
        finished_at=_moment(stored.finished_at),
        args=stored.data["args"],
        kwargs=stored.data["kwargs"],
        backend=backend,
        errors=[] if stored.error is None else [_error(stored.error, stored.traceback)],
        # Django counts attempts by them. The storage knows a worker's id only while it has the task.
        worker_ids=[stored.worker_id or ""] * stored.attempt,
    )
    return _with_value(result, stored.result)


def successful(result: TaskResult, value: Any) -> TaskResult:
    """What becomes of a running task's result when the function has returned."""
    return _with_value(_finished(result, status=TaskResultStatus.SUCCESSFUL), value)


def failed(result: TaskResult, kind: type[BaseException], traceback: str) -> TaskResult:
    """What becomes of it when the function has raised."""
    error = TaskError(exception_class_path=f"{kind.__module__}.{kind.__qualname__}", traceback=traceback)
    return _finished(result, status=TaskResultStatus.FAILED, errors=[*result.errors, error])


def _finished(result: TaskResult, **changes: Any) -> TaskResult:
    return replace(result, finished_at=_moment(datetime.now(timezone.utc).timestamp()), **changes)


def _with_value(result: TaskResult, value: Any) -> TaskResult:
    # As Django's own backends do it: the class is frozen, and there is no other way.
    object.__setattr__(result, "_return_value", value)
    return result


def _error(error: str, traceback: str | None) -> TaskError:
    """The error with the path of its class, whose module is in the traceback only, where Python has printed it."""
    name = re.escape(error.partition(":")[0])
    found = re.findall(rf"^([\w.]+\.)?({name})(?::|$)", traceback or "", re.MULTILINE)
    module, kind = found[-1] if found else ("distributed_queue.errors.", "TaskFailed")
    return TaskError(exception_class_path=f"{module or 'builtins.'}{kind}", traceback=traceback or error)


def _moment(seconds: float | None) -> datetime | None:
    """As Django has its times: with a zone, if it works with zones."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment if settings.USE_TZ else moment.astimezone().replace(tzinfo=None)
