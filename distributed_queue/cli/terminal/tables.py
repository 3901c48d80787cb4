"""The rows of each table: what a look at the queue says, as texts for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from distributed_queue.cli.text import duration, one_line, size
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.observability.attempts import retries
from distributed_queue.observability.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from distributed_queue.core.storage import WorkerInfo
    from distributed_queue.core.task import Task
    from distributed_queue.observability.sampler import Sample

    Rows = Mapping[str, tuple[Text, ...]]
    """Key of each row to its cells."""

QUEUE_COLUMNS = ("QUEUE", "READY", "RUNNING", "RETRYING", "SCHEDULED", "DEAD", "IN/S", "DONE/S", "FAILED/S", "OLDEST")
WORKER_COLUMNS = ("WORKER", "STATE", "BUSY", "DONE", "FAILED", "MEMORY", "CPU", "UP", "LAST BEAT", "PROCESS", "QUEUES")
RUNNING_COLUMNS = ("TASK", "QUEUE", "TYPE", "ATTEMPT", "RUNNING FOR", "WORKER")
DEAD_COLUMNS = ("TASK", "QUEUE", "TYPE", "DEAD FOR", "ERROR")
_COUNTED = (TaskStatus.PENDING, TaskStatus.PROCESSING, TaskStatus.RETRYING, TaskStatus.SCHEDULED, TaskStatus.DEAD)
_ERROR_WIDTH = 100


def queue_rows(sample: Sample) -> Rows:
    """A row for each queue; a paused one says so behind its name."""
    rows = {}
    for stats in sample.queues:
        rate = sample.rates.queues.get(stats.queue, Rate())
        name = Text(one_line(stats.queue))
        if stats.config.paused:
            name.append("  paused", "bold yellow")
        rows[stats.queue] = (
            name,
            *(_count(stats.counts[state], alarming=state is TaskStatus.DEAD) for state in _COUNTED),
            _rate(rate.enqueued),
            _rate(rate.completed),
            _rate(rate.failed, alarming=True),
            _right(duration(stats.oldest_ready_age)),
        )
    return rows


def worker_rows(workers: Iterable[WorkerInfo], now: float) -> Rows:
    """A row for each live worker."""
    return {
        worker.id: (
            Text(one_line(worker.name)),
            _state(worker),
            _right(f"{worker.active_tasks} of {worker.max_workers}"),
            _count(worker.processed),
            _count(worker.failed, alarming=True),
            _right(size(worker.memory_bytes)),
            _right(f"{worker.cpu_share:.0%}"),
            _right(duration(now - worker.started_at)),
            _right(duration(now - worker.beat_at)),
            Text(one_line(f"{worker.pid} on {worker.host}")),
            Text(one_line(", ".join(worker.queues) or "all")),
        )
        for worker in workers
    }


def running_rows(tasks: Iterable[Task], workers: Iterable[WorkerInfo], now: float) -> Rows:
    """A row for each task that runs."""
    names = {worker.id: worker.name for worker in workers}
    return {
        task.task_id: (
            Text(one_line(task.task_id)),
            Text(one_line(task.queue)),
            Text(one_line(task.type)),
            _right(f"{task.attempt} {retries(task)}".rstrip()),
            _right(_since(task.started_at, now)),
            Text(one_line(names.get(task.worker_id or "", task.worker_id))),
        )
        for task in tasks
    }


def dead_rows(tasks: Iterable[Task], now: float) -> Rows:
    """A row for each dead letter."""
    return {
        task.task_id: (
            Text(one_line(task.task_id)),
            Text(one_line(task.queue)),
            Text(one_line(task.type)),
            _right(_since(task.finished_at, now)),
            Text(one_line(task.error or task.reason, _ERROR_WIDTH)),
        )
        for task in tasks
    }


def _since(moment: float | None, now: float) -> str:
    return "" if moment is None else duration(now - moment)


def _state(worker: WorkerInfo) -> Text:
    if worker.paused and worker.state == "running":
        return Text("paused", "bold yellow")
    return Text(one_line(worker.state), "green" if worker.state == "running" else "yellow")


def _count(number: int, *, alarming: bool = False) -> Text:
    return _right(f"{number:,}", "bold red" if alarming and number else "" if number else "dim")


def _rate(number: float, *, alarming: bool = False) -> Text:
    return _right(f"{number:,.1f}", "bold red" if alarming and number else "" if number else "dim")


def _right(text: str, style: str = "") -> Text:
    return Text(text, style, justify="right")
