"""Commands and groups as all of ours are: common options, examples in the help, help for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import click

from distributed_queue.cli.session import Session

STORAGE_HELP = (
    "Where the tasks are: sqlite:///file.db, redis://host:6379/0 …  "
    "[default: DQ_STORAGE_URL, else a SQLite file in your data folder]"
)


class HelpFormatter(click.HelpFormatter):
    """Help with headings that stand out on a terminal; click takes the styles off where there is none."""

    def write_heading(self, heading: str) -> None:
        """Write a section's title."""
        super().write_heading(click.style(heading, bold=True))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and what they mean."""
        super().write_dl([(click.style(name, fg="cyan"), text) for name, text in rows], col_max, col_spacing)


class Context(click.Context):
    """The context that makes help look like ours."""

    formatter_class = HelpFormatter


def _common_options(*, storage: bool, as_json: bool) -> list[click.Parameter]:
    offered: list[tuple[bool, list[str], dict[str, Any]]] = [
        (storage, ["--storage-url"], {"metavar": "URL", "help": STORAGE_HELP}),
        (as_json, ["--json", "as_json"], {"is_flag": True, "help": "Print JSON as the REST API does, for scripts."}),
        (True, ["--debug"], {"is_flag": True, "is_eager": True, "help": "Show the traceback of an error."}),
    ]
    return [
        click.Option(names, expose_value=False, callback=_remember, **attributes)
        for wanted, names, attributes in offered
        if wanted
    ]


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep a common option in the session, instead of handing it to each command."""
    session = context.find_object(Session)
    if session is not None and parameter.name is not None:
        session.take(parameter.name, value)


class Command(click.Command):
    """A command with the common options and examples.

    ``storage`` and ``as_json`` say whether it takes ``--storage-url`` and ``--json``.
    """

    context_class = Context

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        storage: bool = True,
        as_json: bool = True,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.examples = tuple(examples)
        self.params.extend(_common_options(storage=storage, as_json=as_json))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """Commands under one noun. Without a command it explains itself."""

    context_class = Context
    command_class = Command

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        attributes.setdefault("invoke_without_command", True)
        attributes.setdefault("callback", _show_help)
        super().__init__(*args, **attributes)
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands' names, in the order in which they were written rather than of the alphabet."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; guess at what was meant where there is none."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            close = difflib.get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.5)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {name!r}.{guess}")
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)
        super().format_epilog(ctx, formatter)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Write a section of command lines, each as it can be typed."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


@click.pass_context
def _show_help(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), color=context.color)
