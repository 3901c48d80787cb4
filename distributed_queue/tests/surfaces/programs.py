"""Running ``dq`` as its users do: in a process of its own, or, where only the answer counts, in this one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from distributed_queue.cli.main import main
from distributed_queue.tests.steps import eventually

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    import pytest
    from typing_extensions import Self

LIMIT = 30.0
"""Seconds after which what a test waits for counts as lost. Reached in failing tests only."""
COMMAND = (sys.executable, "-m", "distributed_queue")
_ROOT = Path(__file__).resolve().parents[3]
_OURS = ("DQ_", "API_KEY", "REDIS_URL", "NO_COLOR", "FORCE_COLOR")

HOLDING = '''
import pathlib, time

def hold(data):
    """Say that it runs, and go on when it is told."""
    pathlib.Path("held").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return "held"

handlers = {"hold": hold, "sleep": lambda data: time.sleep(60)}
'''
"""A module with a handler that runs until a file named ``go`` is there, and one that is stuck in a call."""


class Answer(NamedTuple):
    """What a program said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed with ``--json``."""
        return json.loads(self.out)


class Dq(Protocol):
    """The program with its arguments, as the fixture ``dq`` gives it."""

    def __call__(self, *arguments: str) -> Answer:
        """Run it."""
        ...


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """This environment without settings of ours, and with its data in ``home``.

    Programs find the package that is tested, even where it is not installed.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    ours = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"}
    return {**kept, **ours, **more}


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Answer:
    """Run the program in this process."""
    capsys.readouterr()
    code = main(arguments)
    return Answer(int(code), *capsys.readouterr())


def run(home: Path, *arguments: str, stdin: str | None = None, **environment: str) -> Answer:
    """Run the program in a process of its own, to its end, with ``home`` as its working directory."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=home,
        env=clean_environment(home, **environment),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


class Program:
    """A program that runs until it is stopped; a context manager that leaves nothing behind."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=home,
            env=clean_environment(home, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """What it has printed so far, on both streams."""
        return "".join(self._lines)

    def says(self, *texts: str) -> str:
        """Wait until a line has one of the texts, and return it."""
        end = time.monotonic() + LIMIT
        with self._news:
            while True:
                found = self._find(texts)
                if found is not None:
                    return found
                assert self._reader.is_alive(), f"ended without saying {texts}:\n{self.output}"
                assert self._news.wait(max(0.0, end - time.monotonic())), f"did not say {texts}:\n{self.output}"

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ends(self) -> int:
        """Wait until it has ended; its exit code."""
        code = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return code

    def stop(self) -> int:
        """Stop it gracefully; its exit code."""
        self.send(signal.SIGTERM)
        return self.ends()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(LIMIT)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _find(self, texts: Iterable[str]) -> str | None:
        return next((line for line in self._lines if any(text in line for text in texts)), None)

    def _read(self) -> None:
        if self.process.stdout is not None:
            for line in self.process.stdout:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()


def send_until_it_ends(program: Program, number: signal.Signals) -> None:
    """Send a signal again and again: one that follows the first too closely does not count."""

    def ended() -> bool:
        if program.process.poll() is None:
            program.send(number)
        return program.process.poll() is not None

    eventually(ended)
