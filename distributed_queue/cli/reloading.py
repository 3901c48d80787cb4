"""For development: a program that is started again whenever the code changes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from distributed_queue.cli.supervisor import RELOADER_VARIABLE
from distributed_queue.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.cli.signals import StopSignals

logger = logging.getLogger("distributed_queue.program")

OPTION = "--reload"
_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 15.0
"""How much longer than its own time-out it may take the program to stop."""


class Reloader:
    """Runs ``dq`` with this process's arguments, except ``--reload``, and again after each change in a folder."""

    def __init__(self, folder: Path, shutdown_timeout: float) -> None:
        self._folder = folder
        self._patience = shutdown_timeout + _PATIENCE_SECONDS
        self._changes: SimpleQueue[set[str]] = SimpleQueue()

    def run(self, signals: StopSignals) -> int:
        """Go on until told to stop; the exit code is that of the program."""
        stop = threading.Event()
        watcher = threading.Thread(
            target=_watcher(self._folder, self._changes.put, stop), name="dq-reload", daemon=True
        )
        watcher.start()
        logger.info("watching the Python files in %s", self._folder)
        process = self._start()
        ended = False
        while signals.wait(_LOOK_SECONDS) is None:
            if not ended and process.poll() is not None:
                logger.warning("it ended with code %d, and is started again when the code changes", process.returncode)
                ended = True
            if not self._changes.empty():
                logger.info("%s changed: starting again", ", ".join(sorted(self._changes.get())))
                self._stop(process, signals)
                process, ended = self._start(), False
        stop.set()
        return self._stop(process, signals)

    def _start(self) -> subprocess.Popen[bytes]:
        own = [argument for argument in sys.argv[1:] if argument != OPTION]
        # A session of its own: Ctrl-C comes to this process alone, which passes it on.
        return subprocess.Popen(  # noqa: S603 - this program itself, with its own arguments
            [sys.executable, "-m", "distributed_queue", *own],
            env={**os.environ, RELOADER_VARIABLE: str(os.getpid())},
            start_new_session=True,
        )

    def _stop(self, process: subprocess.Popen[bytes], signals: StopSignals) -> int:
        """Let what runs finish; a signal that comes meanwhile is passed on, and stops it at once."""
        deadline = time.monotonic() + self._patience
        process.terminate()
        while process.poll() is None:
            if signals.wait(_LOOK_SECONDS) is not None:
                process.terminate()
            if time.monotonic() > deadline:
                process.kill()
        return process.wait()


def _watcher(folder: Path, changed: Callable[[set[str]], object], stop: threading.Event) -> Callable[[], None]:
    """What watches the folder. Raises ``MissingDependency``."""
    try:
        from watchfiles import PythonFilter, watch  # noqa: PLC0415 - only with this option
    except ModuleNotFoundError as error:
        raise MissingDependency(OPTION, "reload") from error

    def run() -> None:
        for changes in watch(folder, watch_filter=PythonFilter(), stop_event=stop, raise_interrupt=False):
            changed({str(Path(path).relative_to(folder)) for _, path in changes})

    return run
