"""``dq dead``: what failed for good, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from distributed_queue.cli.command import Group
from distributed_queue.cli.progress import progress
from distributed_queue.cli.render import collect, print_task, print_tasks
from distributed_queue.cli.session import Session
from distributed_queue.cli.text import duration, plural
from distributed_queue.cli.values import TasksPerTime
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.pace import Pace
from distributed_queue.errors import TaskConflict, TaskNotFound

if TYPE_CHECKING:
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.task import Task

_PAGE = 1000

dead = Group(
    "dead",
    help="List, show, requeue and delete dead letters: tasks that failed for good.",
    examples=("dq dead list", "dq dead requeue --all --queue mail --rate 10/s"),
)
_task_ids = click.argument("task_ids", nargs=-1, metavar="[TASK_ID]...")
_all = click.option("--all", "every", is_flag=True, help="All that --queue and --type leave.")
_queue = click.option("--queue", metavar="NAME", help="Only those of this queue.")
_type = click.option("--type", "type_", metavar="TYPE", help="Only those of this type.")


@dead.command("list", examples=("dq dead list", "dq dead list --queue mail --limit 1000 --json"))
@_queue
@_type
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="The most to print.")
@click.option("--cursor", metavar="CURSOR", help="Go on where an earlier list ended.")
@click.pass_obj
def list_(session: Session, queue: str | None, type_: str | None, limit: int, cursor: str | None) -> None:
    """List dead letters, the latest first."""
    with session.shared_queue() as opened:
        found, more = collect(
            lambda size, after: opened.find(queue, TaskStatus.DEAD, type_, size, after), limit, cursor
        )
    print_tasks(session.out, found, more)


@dead.command("show", examples=("dq dead show 0199c3d8-…", "dq dead show 0199c3d8-… --json | jq -r .traceback"))
@click.argument("task_id")
@click.pass_obj
def show(session: Session, task_id: str) -> None:
    """Show a dead letter with its error and traceback."""
    with session.shared_queue() as queue:
        task = queue.get_task(task_id)
    if task is None:
        raise TaskNotFound(task_id)
    if task.status is not TaskStatus.DEAD:
        raise TaskConflict(task_id, f"Task {task_id} is {task.status}; dq tasks get shows it")
    print_task(session.out, task)


@dead.command("requeue", examples=("dq dead requeue 0199c3d8-…", "dq dead requeue --all --type send --rate 10/s"))
@_task_ids
@_all
@_queue
@_type
@click.option(
    "--rate", type=TasksPerTime(), metavar="N/s", help="So many a second, or 600/m, 9000/h; without it all at once."
)
@click.pass_obj
def requeue(
    session: Session,
    task_ids: tuple[str, ...],
    every: bool,
    queue: str | None,
    type_: str | None,
    rate: float | None,
) -> None:
    """Run dead letters again, from the start: no retries used, no crashes."""
    _check_choice(task_ids, every=every, narrowed=bool(queue or type_))
    pace = Pace(rate)
    with session.shared_queue() as opened:
        done = _apply(
            opened, lambda ids, name: opened.requeue_dead(ids, name, pace), "Requeueing", task_ids, queue, type_
        )
    until = f", the last one runs in {duration(pace.seconds)}" if pace.seconds else ""
    session.out.show({"requeued": done}, lambda: session.out.line(f"{plural(done, 'dead letter')} requeued{until}"))
    _fail_on_misses(task_ids, done)


@dead.command("delete", examples=("dq dead delete 0199c3d8-…", "dq dead delete --all --queue mail --yes"))
@_task_ids
@_all
@_queue
@_type
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(
    session: Session, task_ids: tuple[str, ...], every: bool, queue: str | None, type_: str | None, yes: bool
) -> None:
    """Forget dead letters for good."""
    _check_choice(task_ids, every=every, narrowed=bool(queue or type_))
    with session.shared_queue() as opened:
        which = plural(len(task_ids), "dead letter") if task_ids else _describe(opened, queue, type_)
        session.out.confirm(f"Deleting {which}", yes=yes)
        done = _apply(opened, opened.delete_dead, "Deleting", task_ids, queue, type_)
    session.out.show({"deleted": done}, lambda: session.out.line(f"{plural(done, 'dead letter')} deleted"))
    _fail_on_misses(task_ids, done)


def _check_choice(task_ids: tuple[str, ...], *, every: bool, narrowed: bool) -> None:
    if bool(task_ids) == every:
        raise click.UsageError("Name the tasks, or say --all (with --queue and --type to narrow it down)")
    if task_ids and narrowed:
        raise click.UsageError("--queue and --type go with --all, not with task ids")


def _describe(opened: HybridQueue, queue: str | None, type_: str | None) -> str:
    """How many a bulk command is about, for the question whether it should go on."""
    count = _count(opened, queue)
    which = f"all dead letters of type {type_!r}" if type_ else plural(count, "dead letter")
    return f"{which} of queue {queue!r}" if queue else f"{which} of all queues"


def _count(opened: HybridQueue, queue: str | None) -> int:
    return sum(stats.counts[TaskStatus.DEAD] for stats in opened.queue_stats(queue))


def _apply(
    opened: HybridQueue,
    verb: Callable[[list[str], str | None], int],
    what: str,
    task_ids: tuple[str, ...],
    queue: str | None,
    type_: str | None,
) -> int:
    if task_ids:
        return verb(list(task_ids), None)
    done = 0
    with progress(what, _count(opened, queue) if type_ is None else None, "dead letters") as advance:
        for page in _pages(opened, queue, type_):
            for name, ids in _by_queue(page).items():
                done += verb(ids, name)
            advance(len(page))
    return done


def _pages(opened: HybridQueue, queue: str | None, type_: str | None) -> Iterator[list[Task]]:
    cursor = None
    while True:
        page = opened.find(queue, TaskStatus.DEAD, type_, _PAGE, cursor)
        yield page
        cursor = page.cursor
        if cursor is None:
            return


def _by_queue(tasks: list[Task]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for task in tasks:
        grouped.setdefault(task.queue, []).append(task.task_id)
    return grouped


def _fail_on_misses(task_ids: tuple[str, ...], done: int) -> None:
    if done < len(task_ids):
        missing = len(task_ids) - done
        raise TaskConflict(task_ids[0], f"{missing} of the tasks named: no such dead letter")
