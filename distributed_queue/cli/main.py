"""The way in: finds the command, runs it, and turns what goes wrong into a message and an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import click

from distributed_queue.cli.command import Group, write_examples
from distributed_queue.cli.exits import MEANINGS, ExitCode, explain
from distributed_queue.cli.session import Session


class Entry(NamedTuple):
    """Where a command is, and what the list of commands says of it; it is imported when it is called."""

    target: str
    help: str
    section: str


COMMANDS = {
    "serve": Entry("serve:serve", "Start the API and workers.", "Run"),
    "worker": Entry("worker:worker", "Run a module's handlers for the tasks of a storage.", "Run"),
    "submit": Entry("submit:submit", "Submit a task, or many from a file.", "Use"),
    "tasks": Entry("tasks:tasks", "List, show, wait for, cancel and retry tasks.", "Use"),
    "dead": Entry("dead:dead", "List, show, requeue and delete dead letters.", "Use"),
    "queues": Entry("queues:queues", "List, show, pause, resume, configure and clear queues.", "Operate"),
    "workers": Entry("workers:workers", "List, pause, resume, scale and stop workers of all processes.", "Operate"),
    "top": Entry("top:top", "Watch queues, workers and tasks live, and act on them.", "Operate"),
    "keys": Entry("keys:keys", "Create, list and revoke API keys.", "Operate"),
    "webhooks": Entry("webhooks:webhooks", "Tell other systems of what happens to tasks.", "Operate"),
    "doctor": Entry("doctor:doctor", "Say whether settings, storage and machine are fit for work.", "Operate"),
    "bench": Entry("bench:bench", "Measure how fast your storage takes and works tasks.", "Operate"),
    "check": Entry("check:check", "Judge histories: say whether every promise was kept.", "Operate"),
    "version": Entry("version:version", "Print the version.", "Operate"),
}
EXAMPLES = (
    "dq serve",
    "dq submit simple --data '\"Hello World\"' --wait",
    "dq tasks list --status dead --json",
)


class Programs(Group):
    """All commands, each loaded when it is called: ``dq --help`` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands' names, in the order of their table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command itself."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands by section, from the table."""
        width = max(map(len, COMMANDS))
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [(name.ljust(width), entry.help) for name, entry in COMMANDS.items() if entry.section == section]
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write examples and exit codes."""
        write_examples(formatter, self.examples)
        with formatter.section("Exit codes"):
            formatter.write_dl([(f"{code:>3}", meaning) for code, meaning in MEANINGS.items()])
        formatter.write_paragraph()
        formatter.write_text(
            "Settings: flags count first, then DQ_… environment variables, then .env in the working directory. "
            "API_KEY and REDIS_URL are honoured too."
        )


def load(name: str) -> click.Command:
    """Import a command."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    command = getattr(import_module(f"distributed_queue.cli.{module}"), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{COMMANDS[name].target} is not a command")
    return command


programs = Programs(
    "dq",
    examples=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="DistributedQ: a task queue that starts with one command and no server.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with these arguments (None: those of the process); its exit code. See ``exits.ExitCode``."""
    session = Session()
    try:
        code = programs.main(
            None if argv is None else list(argv),
            prog_name="dq",
            standalone_mode=False,
            obj=session,
            color=False if os.environ.get("NO_COLOR") else None,
        )
    except click.UsageError as error:
        return _usage(session, error)
    except click.ClickException as error:
        session.out.error(error.format_message())
        return ExitCode.FAILURE
    except (click.Abort, KeyboardInterrupt):
        session.out.note("Interrupted.")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the edge of the program: a person is told, not shown a traceback
        if session.debug:
            traceback.print_exc()
        failure = explain(error)
        session.out.error(failure.cause, failure.hint)
        return failure.code
    return code if isinstance(code, int) else ExitCode.OK


def _usage(session: Session, error: click.UsageError) -> int:
    where = f"{error.ctx.command_path} --help explains it." if error.ctx else ""
    session.out.error(error.format_message(), where)
    return ExitCode.USAGE
