"""The page of ``dq``, from the commands themselves."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from distributed_queue.cli.command import Command, Group
from distributed_queue.cli.exits import MEANINGS
from distributed_queue.cli.main import programs

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """# `dq`

`dq COMMAND --help` says the same in the terminal. Answers go to stdout, everything else to stderr; `--json` prints the
field names of the [REST API](rest.md). `distributedq` and `python -m distributed_queue` are the same program.
"""


def page() -> str:
    """The page as Markdown."""
    with click.Context(programs, info_name="dq") as context:
        return "\n".join([INTRODUCTION, *_overview(context), _exit_codes(), *_commands(programs, context)])


def _overview(context: click.Context) -> Iterator[str]:
    yield "| command | |\n|---|---|"
    for path, command in _leaves(programs, context):
        yield f"| [`{path}`](#{path.replace(' ', '-')}) | {command.get_short_help_str(200)} |"
    yield ""


def _leaves(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        path = f"{context.command_path} {name}"
        if isinstance(command, click.Group):
            with click.Context(command, info_name=name, parent=context) as inner:
                yield from _leaves(command, inner)
        else:
            yield path, command


def _exit_codes() -> str:
    rows = "\n".join(f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items())
    return f"## Exit codes\n\n| code | meaning |\n|---|---|\n{rows}\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        with click.Context(command, info_name=name, parent=context) as inner:
            if isinstance(command, click.Group):
                yield from _commands(command, inner)
            else:
                yield _section(command, inner)


def _section(command: click.Command, context: click.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    examples = command.examples if isinstance(command, (Command, Group)) else ()
    parts = [
        f"## {context.command_path}",
        _text(command.help or ""),
        f"```sh\n{usage}\n```",
        "\n".join(_options(command, context)),
    ]
    if examples:
        parts.append("Examples:\n\n```sh\n" + "\n".join(examples) + "\n```")
    return "\n\n".join(part for part in parts if part) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    if records:
        yield "| option | |\n|---|---|"
    for names, meaning in records:
        yield f"| `{_cell(names)}` | {_cell(meaning)} |"


def _text(help_text: str) -> str:
    return inspect.cleandoc(help_text).replace("\b\n", "").replace("``", "`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
