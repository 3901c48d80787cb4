"""Instructions of a program, counted by valgrind (https://valgrind.org/docs/manual/cg-manual.html)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks import ENVIRONMENT
from distributed_queue.testing.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TOTAL = re.compile(r"I\s+refs:\s+([\d,]+)")


def _valgrind(log: Path) -> list[str]:
    program = shutil.which("valgrind")
    if program is None:
        raise SystemExit("valgrind is not installed. `make bench-check` installs it.")
    return [program, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", f"--log-file={log}"]


def read_total(log: str) -> int:
    """The instructions, as valgrind's log tells them. Raises ``ValueError`` where it does not."""
    found = _TOTAL.search(log)
    if found is None:
        raise ValueError(f"valgrind has counted nothing: {log[-500:]}")
    return int(found[1].replace(",", ""))


def keep_bytecode() -> None:
    """Let all be compiled that programs load, so that none of those that are counted has to do it."""
    engines = ", ".join(f"distributed_queue.storage.{engine}" for engine in ("memory", "sqlite", "redis"))
    subprocess.run([sys.executable, "-c", f"import benchmarks.guard.steps, {engines}"], check=True, env=ENVIRONMENT)


def count_module(module: str, *arguments: str, folder: Path) -> int:
    """What running a module takes, which has to succeed."""
    log = folder / "program.log"
    command = [*_valgrind(log), sys.executable, "-m", module, *arguments]
    subprocess.run(command, check=True, env={**ENVIRONMENT, "PYTHONHASHSEED": "0"})
    return read_total(log.read_text())


class CountedRedis(RedisServer):
    """A redis-server whose instructions are counted, all that it takes from start to end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ready_seconds=60)
        self._count_log = folder / "server.log"

    @contextmanager
    def counted(self) -> Iterator[list[int]]:
        """Run for as long as the block lasts; then the list has the count."""
        counts: list[int] = []
        self.start()
        try:
            yield counts
        finally:
            self.stop()
        counts.append(read_total(self._count_log.read_text()))

    def _command(self) -> list[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return [*_valgrind(self._count_log), *super()._command()]
