"""A progress bar on stderr for what takes longer than a second; nothing where stderr is not a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

_PATIENCE_SECONDS = 1.0
"""Work that is done by then needs no bar."""


@contextmanager
def progress(what: str, total: int | None, noun: str = "tasks") -> Iterator[Callable[[int], None]]:
    """Gives a function that is called with how much more was done."""
    bar = _Bar(what, total, noun)
    try:
        yield bar.advance
    finally:
        bar.close()


class _Bar:
    def __init__(self, what: str, total: int | None, noun: str) -> None:
        self._what = what
        self._total = total
        self._noun = noun
        self._done = 0
        self._show_at = time.monotonic() + _PATIENCE_SECONDS
        self._visible = sys.stderr.isatty()
        self._progress: Progress | None = None

    def advance(self, count: int) -> None:
        self._done += count
        if self._progress is None and self._visible and time.monotonic() >= self._show_at:
            self._progress = self._start()
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=self._done)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _start(self) -> Progress:
        from rich.console import Console  # noqa: PLC0415 - only where a bar is shown
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        started = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(self._noun),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        started.add_task(self._what, total=self._total)
        started.start()
        return started
