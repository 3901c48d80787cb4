"""A durability profile that is demanded of a program's storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.tests.surfaces.programs import Program, call

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.tests.surfaces.programs import Dq


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker", "distributed_queue.handlers")])
def test_a_program_does_not_start_on_a_storage_that_is_too_weak(
    sqlite_url: str, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    url = f"{sqlite_url}?synchronous=normal"
    answer = call(capsys, *command, "--storage-url", url, "--durability", "durable")
    assert answer.code == ExitCode.FAILURE
    assert "durability=durable is demanded" in answer.err
    assert "Leave ?synchronous=normal out of the URL." in answer.err


def test_the_environment_demands_it_of_every_command(dq: Dq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_DURABILITY", "durable")
    assert dq("submit", "simple").code == ExitCode.OK
    monkeypatch.setenv("DQ_DURABILITY", "replicated")
    answer = dq("submit", "simple")
    assert answer.code == ExitCode.FAILURE
    assert "name a Redis that has replicas" in answer.err


def test_a_program_says_what_its_storage_survives(tmp_path: Path, sqlite_url: str) -> None:
    arguments = ("distributed_queue.handlers", "--storage-url", sqlite_url)
    with Program(tmp_path, "worker", *arguments) as worker, Program(tmp_path, "serve", "--port", "0") as server:
        assert "durable: An acknowledged task survives" in worker.says("durability")
        assert "durable: An acknowledged task survives" in server.says("sqlite 3")
