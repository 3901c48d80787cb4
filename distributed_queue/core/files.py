"""Small files that programs read while others change them: written in one step, under a lock, closed to others."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def look(path: Path) -> tuple[int, ...] | None:
    """What changes whenever the file does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode
