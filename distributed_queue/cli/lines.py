"""Tasks from a file with one JSON object a line, each as ``POST /tasks`` takes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from distributed_queue.cli.values import parse_moment
from distributed_queue.core.retry import RetryPolicy
from distributed_queue.core.task import DEFAULT_MAX_RETRIES, DEFAULT_PRIORITY, Task
from distributed_queue.errors import InvalidTask


class Line(NamedTuple):
    """A task and the number of its line, from 1."""

    number: int
    task: Task


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """What a line may have. Ranges are checked when the task is enqueued."""

    payload: Any
    priority: int = DEFAULT_PRIORITY
    queue: str = "default"
    execute_after: float | str | None = None
    delay: float | None = None
    max_retries: int = DEFAULT_MAX_RETRIES
    timeout: float | None = None
    expires_at: float | str | None = None
    task_id: str | None = None
    retry: RetryPolicy | None = None


_decode = msgspec.json.Decoder(_Entry).decode


def read_tasks(lines: Iterable[str]) -> Iterator[Line]:
    """The tasks, one after the other; empty lines are passed over. Raises ``InvalidTask`` that names the line."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield Line(number, _parse(line))
            except (InvalidTask, msgspec.DecodeError, ValueError, RecursionError) as error:
                raise InvalidTask(f"Line {number:,}: {error}", field="body") from error


def _parse(line: str) -> Task:
    entry = msgspec.structs.asdict(_decode(line))
    for name in ("execute_after", "expires_at"):
        if isinstance(entry[name], str):
            entry[name] = parse_moment(entry[name])
    if entry["task_id"] is None:
        del entry["task_id"]
    return Task(**entry)
