"""What goes wrong with a SQLite file, in words, and what holds all the same."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import apsw
import pytest

from distributed_queue.errors import InvalidStorageURL, StorageIncompatible, StorageUnavailable
from distributed_queue.storage.sqlite import SQLiteStorage

if TYPE_CHECKING:
    from pathlib import Path

DISK_FULL = """
import resource, signal, sys
from distributed_queue.core.storage import NewTask
from distributed_queue.errors import StorageFull
from distributed_queue.storage.sqlite import SQLiteStorage
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
storage = SQLiteStorage.from_url(sys.argv[1])
storage.enqueue([NewTask("first", "q", "t", 1, b"x")])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
stored, refused = [], None
for number in range(100):
    try:
        storage.enqueue([NewTask(f"{number}", "q", "t", 1, b"x" * 50_000)])
        stored.append(f"{number}")
    except StorageFull as error:
        refused = f"{number}"
        assert "no room" in str(error)
        break
assert refused is not None
assert all(storage.get([*stored, "first"], "q"))
assert storage.get([refused], "q") == [None]
assert storage.stats(["q"])[0].depth == len(stored) + 1
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert storage.enqueue([NewTask(refused, "q", "t", 1, b"x" * 50_000)]) == [True]
storage.close()
"""


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_full_disk_refuses_writes_in_words_while_reads_go_on_until_there_is_space(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DISK_FULL, url_of(tmp_path / "queue.db")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"These are my notes, and no database at all. " * 100)
    before = path.read_bytes()
    with pytest.raises(StorageIncompatible, match=r"notes\.txt is not a database"):
        SQLiteStorage.from_url(url_of(path))
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageIncompatible, match="something else"):
        SQLiteStorage.from_url(url_of(path))
    assert path.read_bytes() == before


def test_a_newer_layout_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    SQLiteStorage.from_url(url_of(path)).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(StorageIncompatible, match="layout 99"):
        SQLiteStorage.from_url(url_of(path))


def test_an_old_sqlite_library_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(StorageIncompatible, match=r"3\.51\.2.*3\.51\.3"):
        SQLiteStorage.from_url(url_of(tmp_path / "queue.db"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match=r"there is no folder .*nowhere"):
        SQLiteStorage.from_url(url_of(tmp_path / "nowhere" / "queue.db"))


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="is a folder"):
        SQLiteStorage.from_url(url_of(tmp_path))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://queue.db", "sqlite:///relative.db"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite:///queue.db?colour=red", "synchronous"),
        ("sqlite:///queue.db?synchronous=off", "full, normal"),
    ],
)
def test_a_wrong_url_is_refused_with_what_would_be_right(url: str, words: str) -> None:
    with pytest.raises(InvalidStorageURL, match=words):
        SQLiteStorage.from_url(url)


def test_a_relative_url_is_a_file_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = SQLiteStorage.from_url("sqlite:///with%20space.db?synchronous=normal")
    assert (tmp_path / "with space.db").is_file()
    assert "synchronous=NORMAL" in storage.health().durability
    storage.close()


def test_the_file_and_its_log_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        storage = SQLiteStorage.from_url(url_of(tmp_path / "queue.db"))
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    storage.close()
    assert modes == {0o600}
