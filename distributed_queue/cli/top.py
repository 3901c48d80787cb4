"""``dq top``: the storage's queues, workers and tasks, live in a terminal."""

from __future__ import annotations

import sys

import click

from distributed_queue.cli.command import Command
from distributed_queue.cli.session import Session
from distributed_queue.core.registry import without_password
from distributed_queue.errors import MissingDependency


@click.command(
    "top",
    cls=Command,
    as_json=False,
    examples=("dq top", "dq top --storage-url redis://localhost:6379/0 --interval 5"),
)
@click.option(
    "--interval", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="Seconds between two looks."
)
@click.pass_obj
def top(session: Session, interval: float) -> None:
    """Watch queues, workers and tasks, and pause, requeue or cancel what is under the cursor.

    1 to 4 choose a table; the keys that do something there stand in the last line.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("dq top needs a terminal; dq queues list --json is for scripts")
    try:
        from distributed_queue.cli.terminal import Top  # noqa: PLC0415 - it may not be installed
    except ImportError as error:
        raise MissingDependency("dq top", "top") from error
    with session.shared_queue() as queue:
        Top(queue, interval, without_password(session.storage_url)).run()
