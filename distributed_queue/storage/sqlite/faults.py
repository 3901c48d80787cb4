"""What SQLite's errors mean for a caller: the one place where they are translated."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import apsw

from distributed_queue.errors import StorageError, StorageFull, StorageIncompatible, StorageUnavailable

if TYPE_CHECKING:
    from distributed_queue.storage.sqlite.location import Location

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def translate(error: apsw.Error, location: Location, system_error: int = 0) -> StorageError:
    """The library's error for SQLite's. ``system_error`` is what the operating system said, 0 for nothing."""
    if isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and system_error in _NO_ROOM):
        return StorageFull(
            f"There is no room left for {location.path}: nothing was changed, and reading goes on. "
            "Writing works again as soon as there is space."
        )
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError, apsw.FormatError)):
        return StorageIncompatible(
            f"{location.path} is not a database that SQLite can read ({_words(error)}). "
            "Restore it from a backup, or move it away to start with an empty one."
        )
    if isinstance(error, (apsw.ReadOnlyError, apsw.PermissionsError)):
        return read_only(location)
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return StorageUnavailable(location.url, "another process has kept it locked for too long")
    return StorageUnavailable(location.url, _words(error, system_error))


def read_only(location: Location) -> StorageIncompatible:
    """The file, or its folder, must not be written to."""
    return StorageIncompatible(
        f"{location.path} cannot be written to. Give this user write permission for the file and for its folder."
    )


def _words(error: apsw.Error, system_error: int = 0) -> str:
    return f"{error} ({os.strerror(system_error)})" if system_error else str(error)
