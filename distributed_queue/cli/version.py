"""``dq version``."""

from __future__ import annotations

import platform

import click

from distributed_queue.cli.command import Command
from distributed_queue.cli.session import Session
from distributed_queue.version import __version__


@click.command(cls=Command, storage=False, examples=("dq version", "dq version --json"))
@click.pass_obj
def version(session: Session) -> None:
    """Print the version."""
    session.out.show(
        {"version": __version__, "python": platform.python_version()},
        lambda: session.out.line(f"dq {__version__} (Python {platform.python_version()})"),
    )
