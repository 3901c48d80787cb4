"""``dq`` without a storage: help, mistakes in usage, and what it costs to start."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from distributed_queue.cli.command import Command, Group
from distributed_queue.cli.exits import ExitCode
from distributed_queue.cli.main import COMMANDS, load, main, programs
from distributed_queue.tests.surfaces.programs import call, run
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAVY = ("apsw", "fastapi", "hiredis", "matplotlib", "msgspec", "pydantic", "redis", "rich", "uvicorn")


def every_command() -> Iterator[tuple[str, click.Command]]:
    """All commands, with the words that call them."""
    for name in COMMANDS:
        command = load(name)
        yield name, command
        if isinstance(command, click.Group):
            for inner, subcommand in command.commands.items():
                yield f"{name} {inner}", subcommand


EVERY_COMMAND = list(every_command())


@pytest.mark.parametrize("arguments", [["--help"], ["version"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from distributed_queue.cli.main import main; main(sys.argv[1:]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", ["tasks", "submit", "queues", "dead", "workers"])
def test_commands_that_speak_to_a_storage_do_not_import_the_server(name: str) -> None:
    code = "import sys; from distributed_queue.cli.main import load; load(sys.argv[1]); print('fastapi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_program_starts_as_a_module_and_prints_its_version(tmp_path: Path) -> None:
    answer = run(tmp_path, "version")
    assert answer.code == 0
    assert answer.out.startswith(f"dq {__version__} ")


def test_the_version_is_there_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "version", "--json").json["version"] == __version__


def test_help_lists_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(capsys, "--help")
    assert answer.code == 0
    for name, entry in COMMANDS.items():
        assert f"  {name} " in answer.out
        assert entry.help in answer.out
    for code in ExitCode:
        assert f" {int(code)}  " in answer.out


def test_without_a_command_it_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys).out == call(capsys, "--help").out
    assert call(capsys, "tasks").out == call(capsys, "tasks", "--help").out


@pytest.mark.parametrize(("name", "command"), EVERY_COMMAND)
def test_every_command_explains_itself_with_two_examples(
    name: str, command: click.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(command, (Command, Group))
    assert len(command.examples) >= 2
    assert all(example.partition("dq ")[2].startswith(name) for example in command.examples)
    answer = call(capsys, *name.split(), "--help")
    assert answer.code == 0
    assert all(example in answer.out for example in command.examples)


@pytest.mark.parametrize(("name", "command"), EVERY_COMMAND)
def test_the_list_of_commands_says_what_the_command_says(name: str, command: click.Command) -> None:
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"dq {name} {option.opts}"


@pytest.mark.parametrize(
    ("arguments", "guess"),
    [
        (("tsks",), "Did you mean 'tasks'?"),
        (("tasks", "lst"), "Did you mean 'list'?"),
        (("version", "--jsn"), "--json"),
    ],
)
def test_a_mistyped_word_is_guessed(arguments: tuple[str, ...], guess: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(capsys, *arguments)
    assert answer.code == ExitCode.USAGE
    assert guess in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("submit",), "Name the TYPE"),
        (("submit", "x", "--data", "hello"), "A text needs its own quotes: '\"hello\"'"),
        (("submit", "x", "--data", "NaN"), "NaN is not a JSON number"),
        (("submit", "x", "--data", "@missing.json"), "cannot be read"),
        (("submit", "x", "--data", "1", "--payload", "{}"), "not both"),
        (("submit", "x", "--payload", "[1]"), "has to be a JSON object"),
        (("submit", "x", "--delay", "soon"), "is not a duration"),
        (("submit", "x", "--at", "tomorrow"), "is not a time"),
        (("submit", "--wait", "x"), "is not a duration"),
        (("submit", "x", "--file", "-"), "--file takes neither"),
        (("dead", "requeue"), "Name the tasks, or say --all"),
        (("dead", "delete", "an-id", "--all"), "Name the tasks, or say --all"),
        (("dead", "delete", "an-id", "--queue", "mail"), "go with --all"),
        (("queues", "configure", "mail"), "at least one setting"),
        (("queues", "configure", "mail", "--max-size", "-1"), "--max-size"),
        (("workers", "pause"), "Name the workers, or say --all"),
        (("worker",), "Name the MODULE"),
        (("serve", "--port", "http"), "whole number from 0 to 65,535"),
        (("tasks", "list", "--status", "happy"), "--status"),
        (("tasks", "list", "--storage-url", "nonsense"), "not a storage URL"),
        (("tasks", "list", "--storage-url", "memory://"), "only dq serve can use it"),
    ],
)
def test_wrong_usage_is_one_line_of_cause(
    arguments: tuple[str, ...], cause: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DQ_HANDLERS", raising=False)
    answer = call(capsys, *arguments)
    assert answer.code == ExitCode.USAGE
    first, *hint = answer.err.splitlines()
    assert first.startswith("Error: ")
    assert cause in first
    assert len(hint) <= 1
    assert answer.out == ""


def test_a_wrong_setting_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DQ_VISIBILITY_TIMEOUT=soon\n")
    answer = run(tmp_path, "tasks", "list")
    assert answer.code == ExitCode.USAGE
    assert "DQ_VISIBILITY_TIMEOUT in .env is 'soon'" in answer.err


def test_debug_shows_where_an_error_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Traceback" not in call(capsys, "tasks", "list", "--storage-url", "x://").err
    assert "Traceback" in call(capsys, "tasks", "list", "--storage-url", "x://", "--debug").err


def test_ctrl_c_ends_a_command_with_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(programs, "invoke", interrupted)
    assert main(["version"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().out == ""
