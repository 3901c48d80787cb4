"""``celery.Celery``, and tasks that are shared by applications."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from distributed_queue.core.app import DistributedQ
from distributed_queue.integrations.celery.known import NotCarriedOver, applications, shared_tasks
from distributed_queue.integrations.celery.results import AsyncResult
from distributed_queue.integrations.celery.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from distributed_queue.core.worker import Worker, WorkerPool


class Celery:
    """``celery.Celery``: an application. ``broker`` is a storage URL of this queue; ``backend`` is not needed."""

    def __init__(self, main: str | None = None, broker: str | None = None, **options: Any) -> None:
        self.main = main
        self.conf = _Conf(broker_url=broker)
        self.conf.update({name: value for name, value in options.items() if name not in {"backend", "include"}})
        self._tasks: dict[str, Task] = {}
        self._app: DistributedQ | None = None
        self._lock = threading.Lock()
        for task in shared_tasks:
            self.add(task)
        applications.append(self)

    @property
    def app(self) -> DistributedQ:
        """The application underneath: what new code is written for."""
        with self._lock:
            if self._app is None:
                self._app = DistributedQ(self.conf.broker_url)
                for task in self._tasks.values():
                    task.declare(self._app)
            return self._app

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks by name."""
        return self._tasks

    def task(self, *functions: Callable[..., Any], **options: Any) -> Any:
        """``@app.task`` and ``@app.task(…)``."""
        if functions:
            return self.add(Task(functions[0], options))
        return lambda function: self.add(Task(function, options))

    @property
    def named_url(self) -> str | None:
        """The storage that the program names: the broker."""
        url: str | None = self.conf.broker_url
        return url

    def register(self, workers: Worker | WorkerPool) -> None:
        """Let workers run the tasks, as ``dq worker module:app`` does."""
        self.app.register(workers)

    def config_from_object(self, source: Any, namespace: str = "", **_: Any) -> None:
        """``app.config_from_object``: of an object or the name of a module; only ``broker_url`` is of use here."""
        if isinstance(source, str):
            source = import_module(source)
        names = (f"{namespace}_broker_url", "broker_url") if namespace else ("broker_url",)
        for name in names:
            for spelling in (name, name.upper()):
                if hasattr(source, spelling):
                    self.conf.broker_url = getattr(source, spelling)

    def autodiscover_tasks(self, packages: Iterable[str], related_name: str = "tasks", **_: Any) -> None:
        """Import ``package.tasks`` of each package; one that has none is left out."""
        for package in packages:
            name = f"{package}.{related_name}"
            try:
                import_module(name)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise

    def send_task(
        self, name: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult:
        """Submit a task by its name; it has to be known here."""
        if name not in self._tasks:
            raise NotCarriedOver(
                f"There is no task {name!r} here; tasks of other programs are submitted with HybridQueue.put"
            )
        return self._tasks[name].apply_async(args, kwargs, **options)

    def AsyncResult(self, task_id: str) -> AsyncResult:  # noqa: N802 - Celery's name
        """The result of a task that was submitted before."""
        return AsyncResult(task_id, self)

    def close(self) -> None:
        """Close the application underneath."""
        if self._app is not None:
            self._app.close()

    def add(self, task: Task) -> Task:
        """Make a task one of this application's."""
        task.bind(self)
        self._tasks[task.name] = task
        if self._app is not None:
            task.declare(self._app)
        return task


class _Conf(dict[str, Any]):
    """``app.conf``: settings by attribute or key."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def shared_task(*functions: Callable[..., Any], **options: Any) -> Any:
    """``@shared_task``: a task of every application, for modules that know none."""

    def declare(function: Callable[..., Any]) -> Task:
        task = Task(function, options)
        shared_tasks.append(task)
        if applications:
            applications[0].add(task)
        return task

    return declare(functions[0]) if functions else declare
