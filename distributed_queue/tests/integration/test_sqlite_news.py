"""How closely a process that waits watches a SQLite file for what other processes commit."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.storage import NewTask
from distributed_queue.storage.sqlite import SQLiteStorage
from distributed_queue.testing.builders import worker_info

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT_SECONDS = 30.0
PAUSES = 8
"""Enough for a poller that was hurried to be seen hurrying."""


class Pauses:
    """What the poller rests between two looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lengths: list[float] = []
        self._grown = threading.Condition()
        self._sleep = time.sleep
        monkeypatch.setattr("distributed_queue.storage.sqlite.hub.time.sleep", self._rest)

    def next(self, count: int) -> list[float]:
        """So many from now on."""
        with self._grown:
            already = len(self._lengths)
            assert self._grown.wait_for(lambda: len(self._lengths) >= already + count, LIMIT_SECONDS)
            return self._lengths[already : already + count]

    def _rest(self, seconds: float) -> None:
        if threading.current_thread().name == "dq-sqlite-poller":
            with self._grown:
                self._lengths.append(seconds)
                self._grown.notify_all()
        self._sleep(seconds)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    return Pauses(monkeypatch)


@pytest.fixture
def storage(tmp_path: Path, pauses: Pauses) -> Iterator[SQLiteStorage]:
    """One in which somebody waits, in vain."""
    storage = SQLiteStorage.from_url(f"sqlite:///{tmp_path / 'queue.db'}")
    waiter = threading.Thread(target=storage.wait, args=(("idle",), LIMIT_SECONDS))
    waiter.start()
    pauses.next(1)
    yield storage
    storage.wake()
    waiter.join(LIMIT_SECONDS)
    storage.close()


def test_beats_do_not_hurry_a_process_that_waits(storage: SQLiteStorage, pauses: Pauses) -> None:
    (quiet,) = pauses.next(1)
    for number in range(3):
        storage.beat(worker_info(f"w{number}"))
        assert set(pauses.next(PAUSES)) == {quiet}


def test_a_process_that_works_looks_more_often(storage: SQLiteStorage, pauses: Pauses) -> None:
    (quiet,) = pauses.next(1)
    end = time.monotonic() + LIMIT_SECONDS
    number = 0
    while min(pauses.next(1)) >= quiet:
        assert time.monotonic() < end
        number += 1
        storage.enqueue([NewTask(f"{number}", "q", "t", 1, b"x")])
