"""Tasks as JSON (the fields of the REST API), as rows of a table, and in full."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from distributed_queue.api.documents import task_document
from distributed_queue.cli.text import duration, json_text, one_line
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.times import iso
from distributed_queue.errors import TaskFailed
from distributed_queue.observability.attempts import retries

if TYPE_CHECKING:
    from distributed_queue.cli.output import Output
    from distributed_queue.core.hybrid_queue import TaskPage
    from distributed_queue.core.notes import AttemptRecord
    from distributed_queue.core.task import Task

_PAGE = 1000
_SHORT = 90
"""Characters of JSON that are easier to read on one line."""


def task_json(task: Task, *, history: bool = False) -> dict[str, Any]:
    """All fields of the task, as the REST API names them."""
    return task_document(task, traceback=True, history=history)


def print_tasks(out: Output, tasks: Iterable[Task], cursor: str | None) -> None:
    """Print a list of tasks, and how to see more of them."""
    listed = list(tasks)
    if out.as_json:
        out.json({"items": [task_json(task) for task in listed], "next_cursor": cursor})
        return
    now = SystemClock().now()
    out.table(
        ("ID", "QUEUE", "TYPE", "STATUS", "PRIO", "AGE", "NOTE"),
        (
            (
                task.task_id,
                task.queue,
                task.type,
                str(task.status),
                task.priority,
                duration(None if task.created_at is None else now - task.created_at),
                _note(task, now),
            )
            for task in listed
        ),
    )
    if not listed:
        out.note("No tasks.")
    if cursor is not None:
        out.note(f"There are more: --limit {max(100, len(listed) * 10)}, or --cursor {cursor}")


def print_task(out: Output, task: Task) -> None:
    """Print all that is known of a task."""
    if out.as_json:
        out.json(task_json(task, history=True))
        return
    times = ("created_at", "execute_after", "expires_at", "started_at", "finished_at")
    fields = {name: value for name, value in task_json(task).items() if value is not None and value is not False}
    for name in ("payload", "progress", "result"):
        if name in fields:
            fields[name] = _pretty(fields[name])
    now = SystemClock().now()
    for name in times:
        if name in fields:
            fields[name] = f"{fields[name]}  ({_relative(getattr(task, name), now)})"
    if counted := retries(task):
        fields["attempts"] = f"{task.attempt}  ({counted})"
    fields["history"] = "\n".join(line for each in task.history for line in _attempt_lines(each)) or None
    out.record(fields.items())


def _attempt_lines(attempt: AttemptRecord) -> Iterator[str]:
    took = "" if attempt.duration is None else f" after {duration(attempt.duration)}"
    error = f": {one_line(attempt.summary)}" if attempt.summary else ""
    by = f" by {attempt.worker_id}" if attempt.worker_id else ""
    yield f"{attempt.attempt}  {iso(attempt.started_at)}  {attempt.outcome}{took}{by}{error}"
    if attempt.log_dropped:
        yield f"   … {attempt.log_dropped} earlier lines are not kept"
    for line in attempt.log:
        yield f"   {iso(line.at)}  {line.level}  {one_line(line.message)}"


def print_outcome(out: Output, task: Task) -> None:
    """Print the result of a finished task. Raises ``TaskFailed`` where it ended without one."""
    if out.as_json:
        out.json(task_json(task, history=True))
    elif task.status is TaskStatus.COMPLETED:
        out.block(task.result if isinstance(task.result, str) else json_text(task.result))
    if task.status is not TaskStatus.COMPLETED:
        raise TaskFailed(task.task_id, str(task.status), task.error or task.reason)


def collect(
    page: Callable[[int, str | None], TaskPage], limit: int, cursor: str | None
) -> tuple[list[Task], str | None]:
    """Up to ``limit`` tasks from pages, which may be short, and the cursor behind them."""
    tasks: list[Task] = []
    while True:
        found = page(min(_PAGE, limit - len(tasks)), cursor)
        tasks += found
        cursor = found.cursor
        if cursor is None or len(tasks) >= limit:
            return tasks, cursor


def _pretty(value: Any) -> str:
    """JSON on one line where it is short."""
    text = json_text(value, indent=None)
    return text if len(text) <= _SHORT else json_text(value)


def _note(task: Task, now: float) -> str:
    """The most useful thing to know about a task in its state."""
    if task.status in (TaskStatus.SCHEDULED, TaskStatus.RETRYING) and task.execute_after is not None:
        what = retries(task) if task.status is TaskStatus.RETRYING else ""
        due = f"{what} due {_relative(task.execute_after, now)}".lstrip()
        return f"{due}: {task.error}" if task.error else due
    if task.status is TaskStatus.PROCESSING and task.started_at is not None:
        return f"for {duration(now - task.started_at)} by {task.worker_id}"
    if task.status is TaskStatus.COMPLETED:
        return "" if task.result is None else f"→ {task.result}"
    return task.error or task.reason or ""


def _relative(moment: float, now: float) -> str:
    return f"{duration(now - moment)} ago" if moment <= now else f"in {duration(moment - now)}"
