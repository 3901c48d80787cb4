"""Small files that programs read while others change them: written in one step, under a lock, closed to others."""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often it is looked whether a file changed, while it is asked for: so long at most until a change works."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAX_BYTES = 16 << 20


def read_closed(path: Path, what: str) -> bytes:
    """The content of a file that others must not write to. ``what`` names the kind of file in messages.

    Raises ``FileNotFoundError``, or ``ConfigurationError`` where it cannot be read, or others may write to it.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS_WRITE:
                raise ConfigurationError(f"Others may write to the {what} {path}. Close it: chmod go-w {path}")
            return file.read(_MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(f"The {what} {path} cannot be read: {error.strerror}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let nobody else who asks change the file meanwhile. What was replaced in the block is on the disk after it.

    Raises ``ConfigurationError`` where its folder cannot be used.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise ConfigurationError(f"The folder {path.parent} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)


def replace(path: Path, content: bytes, what: str) -> None:
    """Write the file in one step, for its owner only. Raises ``ConfigurationError``."""
    try:
        # Made with mode 0600, before anything is in it.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise ConfigurationError(f"The {what} {path} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise ConfigurationError(f"The {what} {path} cannot be written: {error.strerror}") from error


class Record(Protocol):
    """What such a file has several of."""

    @property
    def id(self) -> str:
        """What it is called."""


R = TypeVar("R", bound=Record)


class WatchedFile(Generic[R]):
    """The records of a file as they are now, by id; thread-safe. Raises what ``read`` raises, at first.

    A file that is damaged later leaves them as they were, with an error in the log; one that is gone leaves none.
    """

    def __init__(
        self, path: Path, what: str, read: Callable[[Path], Sequence[R]], monotonic: Callable[[], float]
    ) -> None:
        self.path = path
        self._what = what
        self._read = read
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen = _look(path)
        self._looked_at = monotonic()
        self._records: Mapping[str, R] = {record.id: record for record in read(path)}

    def records(self) -> Mapping[str, R]:
        """All of them; not to be changed."""
        with self._lock:
            now = self._monotonic()
            if now - self._looked_at >= LOOK_SECONDS:
                self._looked_at = now
                self._read_if_changed()
            return self._records

    def change_here(self, identifier: str, change: Callable[[R], R]) -> None:
        """Change a record in this process only, until the file changes."""
        with self._lock:
            record = self._records.get(identifier)
            if record is not None:
                self._records = {**self._records, identifier: change(record)}

    def _read_if_changed(self) -> None:
        seen = _look(self.path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._records = {record.id: record for record in self._read(self.path)} if seen else {}
        except ConfigurationError as error:
            logger.error("the %s stay as they were: %s", self._what, error)  # noqa: TRY400 - no traceback for a file
        else:
            logger.info("read %d %s from %s", len(self._records), self._what, self.path)


def _look(path: Path) -> tuple[int, ...] | None:
    """What changes whenever the file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode
