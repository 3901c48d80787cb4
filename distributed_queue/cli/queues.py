"""``dq queues``: the queues of a storage and their settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from distributed_queue.api.documents import queue_document
from distributed_queue.cli.command import Group
from distributed_queue.cli.exits import NotFound
from distributed_queue.cli.session import Session
from distributed_queue.cli.text import duration, plural
from distributed_queue.cli.values import DURATION, NONE, OrNone
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import check_queue_name

if TYPE_CHECKING:
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import QueueStats

queues = Group(
    "queues",
    help="List, show, pause, resume, configure and clear queues.",
    examples=("dq queues list", "dq queues configure mail --rate-limit 50 --concurrency 10"),
)


@queues.command("list", examples=("dq queues list", "dq queues list --json | jq '.items[].name'"))
@click.pass_obj
def list_(session: Session) -> None:
    """List all queues with their figures."""
    with session.shared_queue() as queue:
        stats = queue.queue_stats()
    states = (TaskStatus.PENDING, TaskStatus.PROCESSING, TaskStatus.RETRYING, TaskStatus.SCHEDULED, TaskStatus.DEAD)
    session.out.show(
        {"items": [queue_document(each) for each in stats]},
        lambda: session.out.table(
            ("QUEUE", *(str(state).upper() for state in states), "OLDEST", "NOTE"),
            (
                (each.queue, *(each.counts[state] for state in states), duration(each.oldest_ready_age), _note(each))
                for each in stats
            ),
        ),
    )


@queues.command("show", examples=("dq queues show", "dq queues show mail --json"))
@click.argument("name", default="default")
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show a queue's figures and settings (NAME is "default" where none is given)."""
    with session.shared_queue() as queue:
        _print(session, _existing(queue, [name])[0])


@queues.command("pause", examples=("dq queues pause mail", "dq queues pause mail reports"))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def pause(session: Session, names: tuple[str, ...]) -> None:
    """Let no more tasks of these queues start, in any process. What runs goes on."""
    _set_paused(session, names, paused=True)


@queues.command("resume", examples=("dq queues resume mail", "dq queues resume mail reports"))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def resume(session: Session, names: tuple[str, ...]) -> None:
    """Let tasks start again."""
    _set_paused(session, names, paused=False)


@queues.command(
    "configure",
    examples=(
        "dq queues configure mail --rate-limit 50 --concurrency 10",
        "dq queues configure default --max-size none --retention-seconds 1d",
    ),
)
@click.argument("name")
@click.option("--max-size", type=OrNone(click.IntRange(0)), metavar="N", help="Tasks that may wait; more are refused.")
@click.option(
    "--rate-limit",
    type=OrNone(click.FloatRange(0, min_open=True)),
    metavar="N",
    help="Tasks that may start per second.",
)
@click.option(
    "--rate-burst", type=OrNone(click.IntRange(1)), metavar="N", help="Tasks that may start at once after a pause."
)
@click.option("--concurrency", type=OrNone(click.IntRange(0)), metavar="N", help="Tasks that may run at the same time.")
@click.option(
    "--max-crashes", type=click.IntRange(1), metavar="N", help="A task whose lease ran out this often is dead."
)
@click.option("--retention-seconds", type=DURATION, metavar="DURATION", help="How long finished tasks stay.")
@click.option("--retention-count", type=click.IntRange(0), metavar="N", help="How many finished tasks stay at most.")
@click.option("--journal/--no-journal", default=None, help="Whether state changes are recorded for those who follow.")
@click.pass_obj
def configure(session: Session, /, name: str, **given: Any) -> None:
    """Change settings of a queue, for all processes; what is not named stays.

    N may be "none" where there is no limit to be. The queue is made if it is not there.
    """
    check_queue_name(name)
    changes = {field: None if value is NONE else value for field, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Name at least one setting to change; dq queues show prints what they are")
    with session.shared_queue() as queue:
        queue.configure(name, **changes)
        _print(session, _existing(queue, [name])[0])


@queues.command("clear", examples=("dq queues clear mail", "dq queues clear mail --yes --json"))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def clear(session: Session, name: str, yes: bool) -> None:
    """Forget all tasks of a queue, in whatever state. Its settings stay."""
    with session.shared_queue() as queue:
        count = sum(_existing(queue, [name])[0].counts.values())
        session.out.confirm(f"Clearing queue {name!r} of its {plural(count, 'task')}", yes=yes)
        with session.out.busy(f"Clearing {name}"):
            cleared = queue.clear(name)
    session.out.show(
        {"queue": name, "cleared": cleared}, lambda: session.out.line(f"{plural(cleared, 'task')} forgotten")
    )


def _existing(queue: HybridQueue, names: Sequence[str]) -> list[QueueStats]:
    """The figures of these queues. Raises ``NotFound`` for one that was never used."""
    for name in names:
        check_queue_name(name)
    found = {stats.queue: stats for stats in queue.storage.stats(names)}
    for name in names:
        if name not in found:
            raise NotFound(f"There is no queue {name!r}")
    return [found[name] for name in names]


def _set_paused(session: Session, names: Sequence[str], *, paused: bool) -> None:
    with session.shared_queue() as queue:
        _existing(queue, names)
        for name in names:
            queue.configure(name, paused=paused)
    session.out.show(
        {"items": [{"name": name, "paused": paused} for name in names]},
        lambda: session.out.line(f"{', '.join(names)}: {'paused' if paused else 'resumed'}"),
    )


def _print(session: Session, stats: QueueStats) -> None:
    settings = {
        name: "no limit" if value is None else value for name, value in queue_document(stats)["settings"].items()
    }
    session.out.show(
        queue_document(stats),
        lambda: session.out.record(
            (
                ("queue", stats.queue),
                *((str(state), count) for state, count in stats.counts.items() if count),
                ("oldest ready", duration(stats.oldest_ready_age) or None),
                *settings.items(),
            )
        ),
    )


def _note(stats: QueueStats) -> str:
    config = stats.config
    notes = ["paused"] if config.paused else []
    notes += [
        f"{name.replace('_', ' ')} {value:g}"
        for name in ("max_size", "rate_limit", "concurrency")
        if (value := getattr(config, name)) is not None
    ]
    return ", ".join(notes)
