"""Rows that something else wrote into the file: SQLite itself checks only the kind of most values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
import pytest

from distributed_queue.core.config import tell_unreadable
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.records import QueueConfig
from distributed_queue.tests.fuzz.records import work_around

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_TEXT = "CAST(x'ff' AS TEXT)"

PARKED = {
    "no body": "body = NULL",
    "a type that is no text": f"type = {NO_TEXT}",
    "an id that is no text": f"id = {NO_TEXT}",
    "a worker that is no text": f"worker_id = {NO_TEXT}",
    "a reason that is no text": f"reason = {NO_TEXT}",
    "an attempt too large to count": "attempt = 9223372036854775807",
    "a state that does not exist": "state = 42",
}
HARMLESS = {
    "an error that cannot be read": "error = x'c1'",
    "progress that cannot be read": "progress = x'c1'",
    "a priority below all": "priority = -4611686018427387904",
    "a time before all": "created_ms = -9223372036854775807",
    "a time after all": "at_ms = 9223372036854775807",
    "an end after all": "expires_ms = 9223372036854775807",
    "an attempt below zero": "attempt = -5",
}


@pytest.fixture
def queue(sqlite_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(sqlite_url) as opened:
        yield opened


@pytest.fixture
def write(sqlite_url: str) -> Callable[[str], None]:
    """Change the file behind everyone's back."""

    def change(statement: str) -> None:
        connection = apsw.Connection(sqlite_url.removeprefix("sqlite:///"))
        connection.set_busy_timeout(10_000)
        connection.execute(statement)
        connection.close()

    return change


@pytest.mark.parametrize("kind", PARKED)
def test_a_row_that_cannot_be_worked_with_is_parked_and_nothing_else_is_lost(
    queue: HybridQueue, write: Callable[[str], None], kind: str
) -> None:
    letter = work_around(queue, lambda: write(f"UPDATE tasks SET {PARKED[kind]} WHERE id = 'bad'"))
    assert letter is not None
    assert queue.requeue_dead([letter.task_id]) == 1


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_does_not_matter_for_the_work_holds_nothing_up(
    queue: HybridQueue, write: Callable[[str], None], kind: str
) -> None:
    assert work_around(queue, lambda: write(f"UPDATE tasks SET {HARMLESS[kind]} WHERE id = 'bad'")) is None


def test_those_who_follow_the_journal_get_past_an_entry_that_cannot_be_read(
    queue: HybridQueue, write: Callable[[str], None]
) -> None:
    assert work_around(queue, lambda: write("UPDATE journal SET changes = x'c1' WHERE position = 2")) is None
    entries = queue.storage.journal("default", 0, 100)
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[1].changes == []


@pytest.mark.parametrize(
    ("text", "max_size"),
    [
        ("", None),
        ('{"max_si', None),
        ("[]", None),
        ('{"max_size": 100, "concurrency": -1}', 100),
        ('{"max_size": 100, "rate_limit": "soon", "paused": 7, "later": {}}', 100),
    ],
)
def test_settings_that_cannot_be_read_have_their_defaults_and_can_be_mended(
    queue: HybridQueue, write: Callable[[str], None], caplog: pytest.LogCaptureFixture, text: str, max_size: int | None
) -> None:
    tell_unreadable.cache_clear()
    assert work_around(queue, lambda: write(f"UPDATE queues SET config = '{text}'")) is None
    assert queue.storage.stats()[0].config == QueueConfig(max_size=max_size)
    assert queue.storage.configure("default", {"concurrency": 3}) == QueueConfig(max_size=max_size, concurrency=3)
    assert queue.storage.stats()[0].config.concurrency == 3
    assert "unreadable" in caplog.text


def test_workers_and_commands_that_cannot_be_read_are_passed_over(
    queue: HybridQueue, write: Callable[[str], None]
) -> None:
    assert work_around(queue, lambda: write("INSERT INTO workers VALUES ('ghost', 9e12, x'c1')")) is None
    assert queue.storage.workers() == []


def test_counts_are_right_after_rows_were_parked(queue: HybridQueue, write: Callable[[str], None]) -> None:
    work_around(queue, lambda: write(f"UPDATE tasks SET type = {NO_TEXT} WHERE id = 'bad'"))
    (stats,) = queue.storage.stats()
    assert {str(state): count for state, count in stats.counts.items() if count} == {"completed": 2, "dead": 1}
