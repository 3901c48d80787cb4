"""What happens to an SQLite file: locked by somebody else, and on a disk that is full."""

from __future__ import annotations

import os
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import apsw

from distributed_queue.testing.campaign.faults import STORAGE, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK_SECONDS = 10.0
_CHUNK_BYTES = 1 << 20


class FileFaults:
    """The faults of one file. ``returns`` collects when it could be written again."""

    def __init__(self, path: Path, returns: list[float]) -> None:
        self._path = path
        self._returns = returns

    def kinds(self, *, small_disk: bool) -> list[FaultKind]:
        """All of them; a full disk only where the file has a small disk of its own."""
        kinds = [FaultKind("file locked", (STORAGE,), self._locked, (0.5, 3.0))]
        if small_disk:
            kinds.append(FaultKind("disk full", (STORAGE,), self._full, (0.5, 2.0)))
        return kinds

    @contextmanager
    def _locked(self, _: str) -> Iterator[None]:
        with closing(apsw.Connection(str(self._path))) as other:
            other.set_busy_timeout(int(_LOCK_SECONDS * 1000))
            with suppress(apsw.BusyError):  # it is locked already, by a worker that is frozen
                other.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                if other.in_transaction:
                    other.execute("ROLLBACK")
                self._returns.append(time.time())

    @contextmanager
    def _full(self, _: str) -> Iterator[None]:
        ballast = self._path.with_name("ballast")
        descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            for size in (_CHUNK_BYTES, 4096):
                with suppress(OSError):
                    while True:
                        os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, size)
            yield
        finally:
            os.close(descriptor)
            ballast.unlink()
            self._returns.append(time.time())
