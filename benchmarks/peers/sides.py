"""The two sides of a peer: the process that enqueues and the processes that work."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import processes
from benchmarks.peers.environments import PROGRAMS
from benchmarks.peers.programs.board import LATENCIES, WORD

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from benchmarks.peers.environments import Environment

LIMIT_SECONDS = 60.0
LOOK_SECONDS = 0.001


class Unmeasurable(RuntimeError):
    """A peer did not do what was asked of it; the message says what it said itself."""


class Setting(NamedTuple):
    """What the processes of a peer have to know."""

    environment: Environment
    url: str
    folder: Path
    """For files of these processes alone."""
    results: bool

    @property
    def variables(self) -> dict[str, str]:
        """The same as environment variables."""
        return {
            **self.environment.variables,
            "PEERS_URL": self.url,
            "PEERS_BOARD": str(self.folder),
            "PEERS_RESULTS": str(int(self.results)),
        }


class Client:
    """A process that enqueues, told what to do by ``programs/stage.py``."""

    def __init__(self, setting: Setting) -> None:
        self._log = (setting.folder / "client.log").open("w+")
        self._process = subprocess.Popen(
            setting.environment.client,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=PROGRAMS,
            env=setting.variables,
        )

    def ask(self, word: str, *numbers: float) -> Any:
        """Have something done, and wait for the answer."""
        self.tell(word, *numbers)
        return self.answer()

    def tell(self, word: str, *numbers: float) -> None:
        """Have something done."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join([word, *map(str, numbers)]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait until it is done."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise Unmeasurable(f"the client ended with {self._process.wait()}: {_last_line(self._log)}")
        return json.loads(answer)

    def __enter__(self) -> Self:
        self.batches = bool(self.ask("hello"))
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()


class Workers:
    """Processes that work, in a session of their own, so that whatever they start ends with them."""

    def __init__(self, setting: Setting, count: int) -> None:
        self._setting = setting
        self._log = (setting.folder / "worker.log").open("w+")
        self._boards: dict[Path, int] = {}
        peer = setting.environment.peer
        self.started_at = time.perf_counter()
        self._processes = [self._start(number, count) for number in range(1 if peer.forks else count)]

    def wait_for(self, count: int, limit_seconds: float = LIMIT_SECONDS) -> float:
        """Wait until so many tasks ran; the time at which that was seen."""
        end = time.perf_counter() + limit_seconds
        while self.count() < count:
            time.sleep(LOOK_SECONDS)
            if time.perf_counter() > end:
                raise Unmeasurable(
                    f"{self.count()} of {count} tasks within {limit_seconds:g} s: {_last_line(self._log)}"
                )
            ended = [process.returncode for process in self._processes if process.poll() is not None]
            if ended:
                raise Unmeasurable(f"a worker ended with {ended[0]}: {_last_line(self._log)}")
        return time.perf_counter()

    def count(self) -> int:
        """Tasks that ran so far."""
        return sum(self._counts().values())

    def take_latencies(self) -> list[float]:
        """Seconds that each task since the last call was under way."""
        found: list[float] = []
        for path, count in self._counts().items():
            content = path.read_bytes()
            for number in range(self._boards.get(path, 0), count):
                found.extend(struct.unpack_from("d", content, WORD * (1 + number % LATENCIES)))
            self._boards[path] = count
        return found

    def cpu_seconds(self) -> float:
        """Processor time of all processes so far."""
        return processes.used_seconds(self._all())

    def memory_bytes(self) -> int:
        """Memory of all processes."""
        return processes.used_bytes(self._all())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._log.close()

    def _start(self, number: int, count: int) -> subprocess.Popen[bytes]:
        environment, url = self._setting.environment, self._setting.url
        command = environment.command(environment.peer.worker, number=number, processes=count, url=url)
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            cwd=PROGRAMS,
            env=self._setting.variables,
            start_new_session=True,
        )

    def _all(self) -> list[int]:
        return [pid for process in self._processes for pid in processes.tree(process.pid)]

    def _counts(self) -> dict[Path, int]:
        """What each board says; a file that is being made says nothing yet."""
        found = {}
        for path in self._setting.folder.iterdir():
            if path.name.isdigit() and len(word := _head(path)) == WORD:
                found[path] = int.from_bytes(word, "little")
        return found


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(WORD)


def _last_line(log: Any) -> str:
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()]
    return lines[-1] if lines else "it said nothing"
