"""Trials with processes that are really killed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, cast

from distributed_queue.core.clock import ManualClock, SystemClock
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.registry import open_storage
from distributed_queue.testing.crashpoints.draining import drain
from distributed_queue.testing.crashpoints.programs import PROGRAMS
from distributed_queue.testing.crashpoints.trials import Outcome
from distributed_queue.testing.proof.checker import check_files
from distributed_queue.testing.proof.recording import RecordingStorage
from distributed_queue.testing.proof.records import HistoryWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from distributed_queue.core.storage import Storage

_LIMIT_SECONDS = 120
_LATER = 600.0
"""Seconds after which the leases of the dead are over, by the clock of the process that cleans up."""
MOST_POINTS = 200
"""More than any program has."""


class ProcessTrials:
    """All points of a program on one engine; ``steps`` are ``calls`` or, for SQLite, ``commits``."""

    def __init__(self, engine: str, fresh_url: Callable[[], str], folder: Path, steps: str = "calls") -> None:
        self._engine = engine
        self._fresh_url = fresh_url
        self._folder = folder
        self._steps = steps
        self._number = 0

    def run(self, program: str, points: Iterable[int]) -> Outcome:
        """Kill it at each point, until it comes to its end before the next one."""
        outcome = Outcome(program, self._engine, self._steps)
        for at in points:
            killed, wrong = self._trial(program, at)
            outcome.broken += [f"{at}: {each}" for each in wrong]
            if not killed:
                break
            outcome.points += 1
        return outcome

    def _trial(self, program: str, at: int) -> tuple[bool, list[str]]:
        self._number += 1
        url, path = self._fresh_url(), self._folder / f"history-{self._number}.jsonl"
        history = HistoryWriter(path)
        prepare, _, tasks = PROGRAMS[program]
        recording = RecordingStorage(open_storage(url), history, "prepare")
        queue = HybridQueue.from_url(url)
        queue.storage.close()
        queue.storage = cast("Storage", recording)
        prepare(queue)
        queue.close()
        first = self._start(program, url, path, "first", at)
        if first not in {0, -9}:
            return False, [f"it ended with {first}"]
        second = self._start(program, url, path, "second", 0)
        wrong = [f"the second one ended with {second}"] if second else []
        clock = ManualClock(SystemClock().now() + _LATER)
        cleaner = RecordingStorage(open_storage(url, clock), history, "cleaner", clock.now)
        drain(cleaner, clock)
        cleaner.close()
        report = check_files([path], recovery_seconds=float("inf"))
        history.close()
        path.unlink()
        if report.tasks != tasks:
            wrong.append(f"{report.tasks} tasks are stored, not {tasks}")
        return first != 0, wrong + [str(violation) for violation in report.violations]

    def _start(self, program: str, url: str, path: Path, name: str, at: int) -> int:
        arguments = [program, url, str(path), name, self._steps, str(at)]
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "distributed_queue.testing.crashpoints.programs", *arguments],
            timeout=_LIMIT_SECONDS,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode
