"""SQLite does as memory does, whatever is asked of it and in whatever order."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from distributed_queue.storage.sqlite import SQLiteStorage
from distributed_queue.testing.machine import check_against_memory

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.core.clock import Clock


@pytest.mark.slow
@pytest.mark.timeout(600)  # where it fails, it takes its time to find the shortest way there
def test_sqlite_does_as_memory_does(tmp_path: Path) -> None:
    numbers = count()

    def open_empty(clock: Clock) -> SQLiteStorage:
        # Without a wait for the disk at each step: what survives a crash of the machine is not the question here.
        return SQLiteStorage.from_url(f"sqlite:///{tmp_path}/{next(numbers)}.db?synchronous=normal", clock)

    check_against_memory(open_empty)
