"""Several worker processes as one program: started, watched, started again when they die, stopped together."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from distributed_queue.cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.cli.signals import StopSignals

logger = logging.getLogger("distributed_queue.program")

SUPERVISOR_VARIABLE = "DQ_SUPERVISOR"
"""Tells a worker process who its supervisor is."""
RELOADER_VARIABLE = "DQ_RELOADER"
"""Tells a program who starts it again when the code changes."""
_LOOK_SECONDS = 0.2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a process that died is started again; doubled each time."""
_STEADY_SECONDS = 60.0
"""One that has lived for so long begins again with the shortest pause."""
_PATIENCE_SECONDS = 15.0
"""How much longer than the workers' own time-out it may take them to stop."""


class _Place:
    """One of the processes that there are to be."""

    def __init__(self, command: Sequence[str], name: str) -> None:
        self._command = command
        self.name = name
        """Of its worker."""
        self.restarts = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = _FIRST_PAUSE
        self._start_at = 0.0
        self.done = False
        """Whether its process has ended on purpose."""
        self.code = 0

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The process that runs, if one does."""
        return self._process

    def look(self) -> None:
        """Start the process if it is time; notice that it has ended."""
        now = time.monotonic()
        if self._process is None:
            if not self.done and now >= self._start_at:
                self._start(now)
            return
        code = self._process.poll()
        if code is None:
            return
        pid, self._process = self._process.pid, None
        self.code = code
        if code in {ExitCode.OK, ExitCode.USAGE}:
            # Told to stop, or set up wrongly, which another try would not mend.
            self.done = True
            return
        if now - self._started >= _STEADY_SECONDS:
            self._pause = _FIRST_PAUSE
        logger.error("worker process %d ended with code %d; another one starts in %g s", pid, code, self._pause)
        self._start_at = now + self._pause
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)

    def stop(self) -> None:
        """Start no more, and tell the one that runs to stop; a second call tells it again."""
        self.done = True
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End what still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start(self, now: float) -> None:
        # A session of its own: Ctrl-C comes to the supervisor alone, which passes it on once.
        self._process = subprocess.Popen(  # noqa: S603 - this program itself, with its own arguments
            self._command,
            env={**os.environ, SUPERVISOR_VARIABLE: str(os.getpid())},
            start_new_session=True,
        )
        self._started = now
        self.restarts += 1


class Supervisor:
    """Runs ``dq`` with this process's arguments once for each worker name."""

    def __init__(self, names: Sequence[str], shutdown_timeout: float) -> None:
        own = [sys.executable, "-m", "distributed_queue", *sys.argv[1:]]
        # Of an option that is given twice, the last one counts.
        self._places = [_Place([*own, "--processes", "1", "--name", name], name) for name in names]
        self._shutdown_timeout = shutdown_timeout

    @property
    def restarts(self) -> int:
        """How often a process was started again because it had died."""
        return sum(max(0, place.restarts) for place in self._places)

    def members(self) -> dict[int, str]:
        """Process ids of those that run, with the names of their workers."""
        return {process.pid: place.name for place in self._places if (process := place.process) is not None}

    def run(self, signals: StopSignals) -> int:
        """Go on until told to stop; the exit code."""
        places = self._places
        logger.info("%d worker processes; Ctrl-C or SIGTERM stops all of them gracefully", len(places))
        deadline = float("inf")
        while True:
            for place in places:
                place.look()
            if all(place.done and place.process is None for place in places):
                return max(abs(place.code) for place in places)
            if signals.wait(_LOOK_SECONDS) is not None:
                if deadline == float("inf"):
                    deadline = time.monotonic() + self._shutdown_timeout + _PATIENCE_SECONDS
                for place in places:
                    place.stop()
            if time.monotonic() > deadline:
                logger.error("some worker processes did not stop in time and are killed")
                for place in places:
                    place.kill()


def is_supervised() -> bool:
    """Whether this process was started by a supervisor."""
    return SUPERVISOR_VARIABLE in os.environ


def is_orphan() -> bool:
    """Whether this process's supervisor, or what reloads it, is gone."""
    supervisor = os.environ.get(SUPERVISOR_VARIABLE) or os.environ.get(RELOADER_VARIABLE)
    return supervisor is not None and supervisor != str(os.getppid())
