"""Options that stand for settings: checked as values from the environment are, and kept in the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from distributed_queue.cli.session import Session
from distributed_queue.cli.values import Setting

F = TypeVar("F", bound=Callable[..., Any])


def setting_option(
    flag: str,
    field: str = "",
    *,
    metavar: str,
    help: str,  # noqa: A002 - click's word
    multiple: bool = False,
) -> Callable[[F], F]:
    """An option for a field of ``Settings``, by default the one of its name. The command itself does not get it."""
    name = field or flag.removeprefix("--").replace("-", "_")

    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        session = context.find_object(Session)
        if session is not None:
            # With several, each may be a list itself.
            session.take(name, tuple(part for each in value for part in each) if multiple else value)

    return click.option(
        flag,
        name,
        type=Setting(name),
        metavar=metavar,
        help=help,
        multiple=multiple,
        expose_value=False,
        callback=keep,
    )


def switch_option(flag: str, *, help: str) -> Callable[[F], F]:  # noqa: A002 - click's word
    """A flag for a field of ``Settings`` that is true or false; not given, it leaves the field to other sources."""
    name = flag.removeprefix("--").replace("-", "_")

    def keep(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        session = context.find_object(Session)
        if session is not None:
            session.take(name, value or None)

    return click.option(flag, name, is_flag=True, help=help, expose_value=False, callback=keep)
