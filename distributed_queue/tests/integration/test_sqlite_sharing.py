"""What one client of a SQLite file has seen before does not hide what others have done to it since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core import counters
from distributed_queue.core.storage import ClaimRequest, NewTask
from distributed_queue.errors import QueueFull
from distributed_queue.storage.sqlite import SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANY = ClaimRequest(("q",), "w", 1, 30.0)


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[tuple[SQLiteStorage, SQLiteStorage]]:
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    here, there = SQLiteStorage.from_url(url), SQLiteStorage.from_url(url)
    yield here, there
    here.close()
    there.close()


def new(task_id: str, queue: str = "q") -> NewTask:
    return NewTask(task_id, queue, "t", 1, b"x")


def test_a_pause_by_another_client_holds_for_the_very_next_claim(clients: tuple[SQLiteStorage, SQLiteStorage]) -> None:
    here, there = clients
    for number in range(3):
        here.enqueue([new(f"{number}")])
        there.configure("q", {"paused": True})
        assert here.claim(ANY).tasks == []
        there.configure("q", {"paused": False})
        assert [task.id for task in here.claim(ANY).tasks] == [f"{number}"]


def test_clients_that_take_turns_count_and_journal_together(clients: tuple[SQLiteStorage, SQLiteStorage]) -> None:
    here, there = clients
    here.configure("q", {"journal_max_bytes": 300})
    for number in range(20):
        here.enqueue([new(f"{number}-here")])
        there.enqueue([new(f"{number}-there")])
        there.enqueue([new(f"{number}-again")])
    (stats,) = here.stats(["q"])
    assert (stats.depth, stats.counters[counters.name(counters.ENQUEUED, "t")]) == (60, 60)
    kept = [change.task_id for entry in here.journal("q", 0, 100) for change in entry.changes]
    assert kept[-3:] == ["19-here", "19-there", "19-again"]
    assert len(kept) < 20


def test_what_a_refused_step_would_have_made_is_not_taken_for_made(
    clients: tuple[SQLiteStorage, SQLiteStorage],
) -> None:
    here, _ = clients
    here.configure("full", {"max_size": 1})
    here.enqueue([new("one", "full")])
    with pytest.raises(QueueFull):
        here.enqueue([new("two", "q"), new("two", "full")])
    assert here.queues() == ("full",)
    assert here.enqueue([new("two", "q")]) == [True]
    assert here.stats(["q"])[0].depth == 1
