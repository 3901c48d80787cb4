"""Opening the file: its creation, SQLite's settings, and the refusals that come before any work."""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from distributed_queue.errors import StorageIncompatible, StorageUnavailable
from distributed_queue.storage.sqlite import faults
from distributed_queue.storage.sqlite.mending import is_text
from distributed_queue.storage.sqlite.statements import migrations

if TYPE_CHECKING:
    from distributed_queue.storage.sqlite.location import Location

OLDEST_SQLITE = (3, 51, 3)
"""Earlier ones, back to 3.7.0, can corrupt a database in WAL mode that several connections write to."""
BUSY_SECONDS = 5.0
"""How long to wait for other processes' locks."""
_LONGEST_PAUSE = 0.005
_CACHE_KIB = 32 * 1024
_WAL_KEPT_BYTES = 64 << 20
"""A WAL that had to grow beyond this is cut back when it begins anew."""
_APPLICATION_ID = 0x44515545
"""Marks the file as ours: "DQUE"."""


def check_version() -> None:
    """Refuse an SQLite library with the WAL race."""
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < OLDEST_SQLITE:
        wanted = ".".join(str(part) for part in OLDEST_SQLITE)
        raise StorageIncompatible(
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a file that several processes write to; {wanted} is the "
            "first that cannot. Install a current apsw from PyPI, whose wheel brings its own SQLite."
        )


def create_file(location: Location) -> None:
    """Make the file if there is none, for its owner's eyes only (SQLite gives its WAL the same mode).

    Exclusively, so that it is never opened here when it exists: to close a file that SQLite has open in the same
    process would drop SQLite's locks (a trait of POSIX).
    """
    folder = os.path.dirname(location.path)  # noqa: PTH120  # pathlib is of no use for a plain string
    if not os.path.isdir(folder):  # noqa: PTH112
        raise StorageUnavailable(location.url, f"there is no folder {folder}; create it first")
    try:
        os.close(os.open(location.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if os.path.isdir(location.path):  # noqa: PTH112
            raise StorageUnavailable(location.url, f"{location.path} is a folder, not a file") from None
    except OSError as error:
        raise StorageUnavailable(location.url, f"{location.path} cannot be created: {error.strerror}") from error


def open_writer(location: Location) -> apsw.Connection:
    """A connection that writes, to a file that has the current layout."""
    connection = _open(location)
    if connection.readonly("main"):
        raise faults.read_only(location)
    if str(connection.pragma("journal_mode")).lower() != "wal":
        _check_ours(connection, location)
        if str(connection.pragma("journal_mode", "wal")).lower() != "wal":
            raise StorageIncompatible(
                f"{location.path} is on a file system without shared memory, which SQLite's WAL needs. "
                "Keep it on a local disk."
            )
    connection.pragma("synchronous", location.synchronous)
    connection.pragma("journal_size_limit", _WAL_KEPT_BYTES)
    connection.create_scalar_function("is_text", lambda *given: is_text(given[0]), 1, deterministic=True)
    connection.wal_autocheckpoint(0)  # the writer does it, after it has acknowledged
    _migrate(connection, location)
    return connection


def open_reader(location: Location) -> apsw.Connection:
    """A connection that only reads."""
    connection = _open(location)
    connection.pragma("query_only", True)
    return connection


def _open(location: Location) -> apsw.Connection:
    # Without SQLite's own mutex: no two threads use a connection at once.
    connection = apsw.Connection(location.path, flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX)
    connection.set_busy_handler(Patience().wait)
    connection.pragma("mmap_size", 0)
    connection.pragma("temp_store", "memory")
    connection.pragma("trusted_schema", False)
    connection.pragma("cache_size", -_CACHE_KIB)
    return connection


class Patience:
    """Waits for other processes' locks: pauses that grow, with jitter, and an end."""

    def __init__(self, seconds: float = BUSY_SECONDS) -> None:
        self._seconds = seconds
        self._end = 0.0

    def wait(self, attempts: int) -> bool:
        """Whether to try again, after a pause."""
        if attempts == 0:
            self._end = time.monotonic() + self._seconds
        elif time.monotonic() >= self._end:
            return False
        longest = min(_LONGEST_PAUSE, 0.0005 * 2 ** min(attempts, 10))
        time.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  # jitter, not a secret
        return True


def _check_ours(connection: apsw.Connection, location: Location) -> None:
    application, layout = connection.pragma("application_id"), connection.pragma("user_version")
    known = len(migrations())
    if application == _APPLICATION_ID:
        if layout > known:
            raise StorageIncompatible(
                f"{location.path} has layout {layout}; this version of distributedq knows layouts up to {known}. "
                "Use the version that wrote it, or a newer one."
            )
    elif application or layout or connection.execute("SELECT count(*) FROM sqlite_schema").fetchall() != [(0,)]:
        raise StorageIncompatible(
            f"{location.path} is a database of something else. Name another file; this one was left as it was."
        )


def _migrate(connection: apsw.Connection, location: Location) -> None:
    """Bring the file to the current layout. Forward only; who comes second finds it done."""
    _check_ours(connection, location)
    scripts = migrations()
    if connection.pragma("user_version") == len(scripts):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _check_ours(connection, location)
        for number, script in enumerate(scripts, 1):
            if number > connection.pragma("user_version"):
                connection.execute(script).fetchall()
                connection.pragma("user_version", number)
        connection.pragma("application_id", _APPLICATION_ID)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            connection.execute("ROLLBACK")
        raise
