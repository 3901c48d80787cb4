"""What keeps the SQLite engine fast: commits shared by threads, and no statement that looks at every task."""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import TYPE_CHECKING

import apsw
import pytest

from distributed_queue.core.storage import NewTask, QueueConfig
from distributed_queue.errors import QueueFull
from distributed_queue.storage.sqlite import SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THREADS = 8
EACH = 25
SQL = files("distributed_queue.storage.sqlite") / "sql"
STATEMENTS = sorted(
    each.name for each in SQL.iterdir() if each.name.endswith(".sql") and not each.name.startswith("mend_")
)
"""All but those that mend a file that others wrote into: they look at every task of a queue, once."""
SMALL = frozenset({"queues", "workers", "commands", "wanted", "json_each", "CONSTANT", "(subquery-1)"})
"""Tables with a row for each queue, worker or command, lists that a caller gave, and subqueries, whose own steps are
looked at too: these may be gone through."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


def run_together(work: Callable[[int], None], arguments: range) -> None:
    threads = [threading.Thread(target=work, args=(each,)) for each in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def log_bytes_of(path: Path, threads: int) -> int:
    """How much the log grows by 200 tasks: every commit writes the pages it touched again."""
    storage = SQLiteStorage.from_url(f"sqlite:///{path}")
    storage.configure("q", {})
    log = path.with_name(path.name + "-wal")
    before = log.stat().st_size

    def work(thread: int) -> None:
        for number in range(THREADS * EACH // threads):
            storage.enqueue([NewTask(f"{thread}-{number}", "q", "t", 1, b"x")])

    run_together(work, range(threads))
    grown = log.stat().st_size - before
    assert storage.stats(["q"])[0].depth == THREADS * EACH
    assert storage.journal_tail("q") == THREADS * EACH
    storage.close()
    return grown


def test_threads_share_commits(tmp_path: Path) -> None:
    alone = log_bytes_of(tmp_path / "alone.db", 1)
    together = log_bytes_of(tmp_path / "together.db", THREADS)
    assert together < 0.7 * alone


def test_a_refused_operation_does_not_touch_those_it_shares_a_commit_with(path: Path) -> None:
    storage = SQLiteStorage.from_url(f"sqlite:///{path}")
    storage.configure("small", {"max_size": 10})
    refused: list[int] = []

    def work(thread: int) -> None:
        for number in range(EACH):
            storage.enqueue([NewTask(f"{thread}-{number}", "large", "t", 1, b"x")])
            try:
                storage.enqueue([NewTask(f"{thread}-{number}", "small", "t", 1, b"x")])
            except QueueFull:
                refused.append(thread)

    run_together(work, range(THREADS))
    large, small = storage.stats(["large", "small"])
    storage.close()
    assert (large.depth, small.depth, len(refused)) == (THREADS * EACH, 10, THREADS * EACH - 10)


def test_a_queue_keeps_its_settings_in_the_file(path: Path) -> None:
    first = SQLiteStorage.from_url(f"sqlite:///{path}")
    first.configure("q", {"max_size": 7})
    first.close()
    second = SQLiteStorage.from_url(f"sqlite:///{path}")
    assert second.configure("q", {}) == QueueConfig(max_size=7)
    second.close()


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_scans_or_sorts_tasks(path: Path, name: str) -> None:
    SQLiteStorage.from_url(f"sqlite:///{path}").close()
    connection = apsw.Connection(str(path))
    text = (SQL / name).read_text("utf-8")
    steps = connection.execute("EXPLAIN QUERY PLAN " + text, (None,) * parameters(connection, text)).fetchall()
    connection.close()
    plan = [str(step[3]) for step in steps]
    assert [line for line in plan if "TEMP B-TREE" in line] == []
    assert [line for line in plan if line.startswith("SCAN") and line.split()[1] not in SMALL] == []


def parameters(connection: apsw.Connection, text: str) -> int:
    """How many values a statement takes."""
    count = 0
    while True:
        try:
            connection.execute("EXPLAIN " + text, (None,) * count).fetchall()
        except apsw.BindingsError:
            count += 1
        else:
            return count
