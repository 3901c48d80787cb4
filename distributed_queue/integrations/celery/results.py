"""``celery.result``: looking at a task that was submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.errors import TaskFailed
from distributed_queue.integrations.celery.known import first_application

if TYPE_CHECKING:
    from distributed_queue.core.task import Task
    from distributed_queue.integrations.celery.application import Celery

_STATES = {
    TaskStatus.PENDING: "PENDING",
    TaskStatus.SCHEDULED: "PENDING",
    TaskStatus.BLOCKED: "PENDING",
    TaskStatus.PROCESSING: "STARTED",
    TaskStatus.COMPLETED: "SUCCESS",
    TaskStatus.RETRYING: "RETRY",
    TaskStatus.DEAD: "FAILURE",
    TaskStatus.CANCELLED: "REVOKED",
    TaskStatus.EXPIRED: "REVOKED",
}


class EagerResult:
    """What ``task.apply`` returns."""

    def __init__(self, result: Any, error: Exception | None) -> None:
        self.result = error or result
        self.state = self.status = "FAILURE" if error else "SUCCESS"
        self._error = error

    def get(self, **_: Any) -> Any:
        """The result; raises what the task raised."""
        if self._error is not None:
            raise self._error
        return self.result

    def successful(self) -> bool:
        """Whether it returned."""
        return self._error is None


class AsyncResult:
    """``celery.result.AsyncResult``."""

    def __init__(self, task_id: str, app: Celery | None = None) -> None:
        self.id = self.task_id = task_id
        self._app = app or first_application()

    def get(self, timeout: float | None = None, propagate: bool = True, **_: Any) -> Any:
        """The result. Raises ``TaskFailed`` and, unlike Celery, ``ResultTimeout``, which is a ``TimeoutError``."""
        try:
            return self._app.app.queue.wait_result(self.id, timeout)
        except TaskFailed:
            if propagate:
                raise
            return self.result

    @property
    def state(self) -> str:
        """Celery's word for the state; ``PENDING`` also for what is not known."""
        task = self._task()
        return "PENDING" if task is None else _STATES[task.status]

    status = state

    @property
    def result(self) -> Any:
        """The result, or the error of a task that failed."""
        task = self._task()
        if task is None:
            return None
        if task.status is TaskStatus.COMPLETED:
            return task.result
        return TaskFailed(self.id, str(task.status), task.error) if task.status.finished else task.progress

    info = result

    @property
    def traceback(self) -> str | None:
        """The traceback of its last failure."""
        task = self._task()
        return None if task is None else task.traceback

    def ready(self) -> bool:
        """Whether it is finished."""
        task = self._task()
        return task is not None and task.status.finished

    def successful(self) -> bool:
        """Whether it is completed."""
        return self.state == "SUCCESS"

    def failed(self) -> bool:
        """Whether it failed for good."""
        return self.state == "FAILURE"

    def revoke(self, **_: Any) -> None:
        """Cancel it: durably, and also where it runs already."""
        self._app.app.queue.cancel(self.id)

    def forget(self) -> None:
        """Results are forgotten by retention; nothing to do."""

    def __repr__(self) -> str:
        return f"<AsyncResult: {self.id}>"

    def _task(self) -> Task | None:
        return self._app.app.queue.get_task(self.id)
