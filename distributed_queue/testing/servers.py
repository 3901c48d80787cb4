"""Real servers for tests and benchmarks, on free loopback ports and in folders of their own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

HOST = "127.0.0.1"
INSTALL = {
    "redis-server": "apt-get install redis-server (Debian, Ubuntu) or brew install redis (macOS)",
}


class MissingServer(RuntimeError):
    """A server program is not installed. The message says how to install it."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed, and the tests need it. Install it: {INSTALL[program]}")
        self.program = program


def free_port() -> int:
    """A TCP port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """A redis-server of one's own. Its port, its options and its data stay the same over ``stop`` and ``start``.

    ``options`` are settings of ``redis.conf`` (``appendonly="yes"``, ``appendfsync="everysec"``); by default nothing is
    written to disk. Raises ``MissingServer`` where the program is not installed.
    """

    def __init__(
        self, folder: Path, *, host: str = HOST, port: int | None = None, ready_seconds: float = 10.0, **options: str
    ) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise MissingServer("redis-server")
        self._program = program
        self._folder = folder
        self._ready_seconds = ready_seconds
        self._options = {"save": "", "appendonly": "no", **options}
        self._process: subprocess.Popen[bytes] | None = None
        self.host = host
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """Of database 0."""
        return f"redis://{self.host}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process, None while it does not run."""
        return self._process.pid if self._process else None

    @property
    def log(self) -> str:
        """What the server has said so far."""
        path = self._folder / "redis.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Self:
        """Start it and wait until it answers. Does nothing if it runs."""
        if self._process is not None:
            return self
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)  # noqa: S603  # found by name
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """End it in order (SIGTERM): it saves what its options say."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self._end(kill=True)

    def restart(self, *, kill: bool = False) -> None:
        """End it, by a crash if so wished, and start it again on its data."""
        self._end(kill=kill)
        self.start()

    def flush(self) -> None:
        """Drop all data."""
        answer = self._ask(b"FLUSHALL\r\n")
        if answer != b"+OK\r\n":
            raise RuntimeError(f"redis-server did not flush: {answer!r}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def _command(self) -> list[str]:
        settings = {"bind": self.host, "port": str(self.port), "dir": str(self._folder), **self._options}
        return [self._program, *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_until_ready(self) -> None:
        """Until it answers ``PING`` with ``PONG``: while it loads its data it answers otherwise."""
        process = self._process
        end = time.monotonic() + self._ready_seconds
        while time.monotonic() < end:
            if process is None or process.poll() is not None:
                self._process = None
                raise RuntimeError(f"redis-server ended while it started:\n{self.log[-2000:]}")
            if self._ask(b"PING\r\n") == b"+PONG\r\n":
                return
            time.sleep(0.01)
        self.kill()
        raise TimeoutError(f"redis-server did not answer within {self._ready_seconds:g} s:\n{self.log[-2000:]}")

    def _ask(self, command: bytes) -> bytes:
        """The first line of the answer, empty if there is none."""
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                connection.sendall(command)
                return connection.recv(64)
        except OSError:
            return b""
