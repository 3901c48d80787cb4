"""``dq tasks``: look at tasks, wait for them, cancel and retry them."""

from __future__ import annotations

from collections.abc import Callable

import click

from distributed_queue.cli.command import Group
from distributed_queue.cli.render import collect, print_outcome, print_task, print_tasks
from distributed_queue.cli.session import Session
from distributed_queue.cli.values import DURATION
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.errors import DistributedQueueError, TaskConflict, TaskNotFound

tasks = Group(
    "tasks",
    help="List, show, wait for, cancel and retry tasks.",
    examples=("dq tasks list --queue mail --status retrying", "dq tasks get 0199c3d8-5d3e-7f5a-b2c4-a4d1c5f7e981"),
)


@tasks.command("list", examples=("dq tasks list", "dq tasks list --status dead --type mail --limit 1000 --json"))
@click.option("--queue", metavar="NAME", help="Only tasks of this queue.")
@click.option("--status", type=click.Choice([str(state) for state in TaskStatus]), help="Only tasks in this state.")
@click.option("--type", "type_", metavar="TYPE", help="Only tasks of this type.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="The most to print.")
@click.option("--cursor", metavar="CURSOR", help="Go on where an earlier list ended.")
@click.pass_obj
def list_(
    session: Session, queue: str | None, status: str | None, type_: str | None, limit: int, cursor: str | None
) -> None:
    """List tasks: what runs, then what waits, then what ended."""
    with session.shared_queue() as opened:
        found, more = collect(lambda size, after: opened.find(queue, status, type_, size, after), limit, cursor)
    print_tasks(session.out, found, more)


@tasks.command("get", examples=("dq tasks get 0199c3d8-…", "dq tasks get 0199c3d8-… --json | jq .result"))
@click.argument("task_id")
@click.pass_obj
def get(session: Session, task_id: str) -> None:
    """Show all that is known of a task."""
    with session.shared_queue() as queue:
        task = queue.get_task(task_id)
    if task is None:
        raise TaskNotFound(task_id)
    print_task(session.out, task)


@tasks.command("wait", examples=("dq tasks wait 0199c3d8-…", "dq tasks wait 0199c3d8-… --timeout 30s --json"))
@click.argument("task_id")
@click.option("--timeout", type=DURATION, metavar="DURATION", help="The longest to wait; the default is without end.")
@click.pass_obj
def wait(session: Session, task_id: str, timeout: float | None) -> None:
    """Wait until a task is finished, and print its result.

    The exit code is 7 when the time is over and 8 when the task ended without a result.
    """
    with session.shared_queue() as queue:
        print_outcome(session.out, queue.wait(task_id, timeout))


@tasks.command("cancel", examples=("dq tasks cancel 0199c3d8-…", "dq tasks cancel 0199c3d8-… 0199c3d9-… --json"))
@click.argument("task_ids", nargs=-1, required=True, metavar="TASK_ID...")
@click.pass_obj
def cancel(session: Session, task_ids: tuple[str, ...]) -> None:
    """Cancel tasks that wait, and ask running ones to stop."""
    _each(session, task_ids, HybridQueue.cancel, "cancelled")


@tasks.command("retry", examples=("dq tasks retry 0199c3d8-…", "dq tasks retry 0199c3d8-… 0199c3d9-… --json"))
@click.argument("task_ids", nargs=-1, required=True, metavar="TASK_ID...")
@click.pass_obj
def retry(session: Session, task_ids: tuple[str, ...]) -> None:
    """Run tasks now that are dead, cancelled, expired, retrying or scheduled."""
    _each(session, task_ids, HybridQueue.requeue, "run again")


def _each(session: Session, task_ids: tuple[str, ...], verb: Callable[[HybridQueue, str], bool], done: str) -> None:
    """Apply the verb to all, print them, and fail afterwards if it did not fit one of them."""
    refused: list[DistributedQueueError] = []
    after = []
    with session.shared_queue() as queue:
        for task_id in task_ids:
            fits = verb(queue, task_id)
            task = queue.get_task(task_id)
            if task is None:
                refused.append(TaskNotFound(task_id))
                continue
            after.append(task)
            if not fits:
                refused.append(TaskConflict(task_id, f"Task {task_id} is {task.status} and cannot be {done}"))
    if after:
        print_tasks(session.out, after, None)
    for error in refused[1:]:
        session.out.error(str(error))
    if refused:
        raise refused[0]
