"""``dq submit``: one task from the command line, or many from a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

import click

from distributed_queue.cli.command import Command
from distributed_queue.cli.lines import Line, read_tasks
from distributed_queue.cli.progress import progress
from distributed_queue.cli.render import print_outcome, task_json
from distributed_queue.cli.session import Session
from distributed_queue.cli.text import plural
from distributed_queue.cli.values import DURATION, FOREVER, JSON, MOMENT, PATIENCE, Json
from distributed_queue.core.task import DEFAULT_MAX_RETRIES, DEFAULT_PRIORITY, Task
from distributed_queue.errors import DistributedQueueError, TaskConflict

if TYPE_CHECKING:
    from distributed_queue.core.hybrid_queue import HybridQueue

BATCH = 500
"""Lines of a file that are stored in one step."""


@click.command(
    cls=Command,
    examples=(
        "dq submit simple --data '\"Hello World\"' --wait",
        'dq submit math --payload \'{"operation": "add", "a": 1, "b": 2}\' --wait 30s --json',
        "dq submit report --data @report.json --queue reports --priority 10 --delay 5m",
        "dq submit --file tasks.ndjson",
    ),
)
@click.argument("type_", metavar="[TYPE]", required=False)
@click.option("--data", type=JSON, metavar="JSON", help="What the handler gets: JSON, @file, or - for stdin.")
@click.option("--payload", type=JSON, metavar="JSON", help="Instead: the payload's other keys, a JSON object.")
@click.option("--queue", default="default", show_default=True, metavar="NAME", help="The queue that takes it.")
@click.option(
    "--priority", type=int, metavar="N", default=DEFAULT_PRIORITY, show_default=True, help="0 runs first, 1000 last."
)
@click.option("--delay", type=DURATION, metavar="DURATION", help="Start it no sooner than in 30s, 5m, 2h …")
@click.option("--at", type=MOMENT, metavar="TIME", help="Start it no sooner than at this time (ISO 8601).")
@click.option(
    "--max-retries",
    type=int,
    metavar="N",
    default=DEFAULT_MAX_RETRIES,
    show_default=True,
    help="Tries after the first.",
)
@click.option("--timeout", type=DURATION, metavar="DURATION", help="The longest that its handler may run.")
@click.option("--id", "task_id", metavar="ID", help="Its id; submitting the same id again adds nothing.")
@click.option(
    "--wait",
    type=PATIENCE,
    is_flag=False,
    flag_value="forever",
    metavar="[DURATION]",
    help="Wait until it is finished, at most so long, and print its result.",
)
@click.option(
    "--file",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Submit the tasks of a file, a JSON object a line as POST /tasks takes it; - is stdin.",
)
@click.pass_obj
def submit(
    session: Session,
    /,
    type_: str | None,
    data: Json | None,
    payload: Json | None,
    wait: float | None,
    file: TextIO | None,
    **fields: Any,
) -> None:
    """Submit a task of a TYPE, or many from a file.

    Prints the task's id. Once it is printed, the task is run at least once.
    """
    if file is not None:
        if type_ is not None or wait is not None:
            raise click.UsageError("--file takes neither a TYPE nor --wait")
        _submit_file(session, file)
        return
    if type_ is None:
        raise click.UsageError("Name the TYPE of the task, or a --file of tasks")
    task = _make_task(type_, data, payload, **fields)
    with session.shared_queue(configure=True) as queue:
        _submit_one(session, queue, task)
        if wait is not None:
            print_outcome(session.out, queue.wait(task.task_id, None if wait == FOREVER else wait))
        elif session.as_json:
            session.out.json(task_json(queue.get_task(task.task_id) or task))
        else:
            session.out.line(task.task_id)


def _make_task(
    type_: str,
    data: Json | None,
    payload: Json | None,
    *,
    at: float | None,
    task_id: str | None,
    **fields: Any,
) -> Task:
    """The task that the flags describe."""
    if data is not None and payload is not None:
        raise click.UsageError("Give --data or --payload, not both: --data is the key 'data' of the payload")
    content: dict[str, Any] = {"type": type_}
    if data is not None:
        content["data"] = data.value
    if payload is not None:
        if not isinstance(payload.value, dict):
            raise click.BadParameter(
                "it has to be a JSON object; other data goes with --data", param_hint="'--payload'"
            )
        content = {**payload.value, **content}
    if task_id is not None:
        fields["task_id"] = task_id
    return Task(payload=content, execute_after=at, **fields)


def _submit_one(session: Session, queue: HybridQueue, task: Task) -> None:
    if all(queue.enqueue([task])):
        return
    stored = queue.get_task(task.task_id)
    if stored is not None and stored.payload != task.payload:
        raise TaskConflict(task.task_id, f"The id {task.task_id!r} belongs to a task with another payload")
    session.out.note(f"Task {task.task_id} was there already; nothing was added.")


def _submit_file(session: Session, file: TextIO) -> None:
    submitted = known = reached = 0
    with session.shared_queue(configure=True) as queue, progress("Submitting", _count(file)) as advance:
        try:
            for batch in _batches(read_tasks(file)):
                new = queue.enqueue([line.task for line in batch])
                submitted += sum(new)
                known += len(new) - sum(new)
                reached = batch[-1].number
                advance(len(batch))
        except (DistributedQueueError, OSError, UnicodeDecodeError):
            session.out.note(f"{plural(submitted, 'task')} up to line {reached:,} were submitted, those after it not.")
            raise
    session.out.show(
        {"submitted": submitted, "known": known},
        lambda: session.out.line(
            f"{plural(submitted, 'task')} submitted" + (f", {known:,} were there already" if known else "")
        ),
    )


def _count(file: TextIO) -> int | None:
    """How many lines a file has; None for a pipe, which is read only once."""
    if not file.seekable():
        return None
    lines = sum(1 for line in file if line.strip())
    file.seek(0)
    return lines


def _batches(lines: Iterator[Line] | Iterable[Line]) -> Iterator[list[Line]]:
    remaining = iter(lines)
    while batch := list(islice(remaining, BATCH)):
        yield batch
