"""Keeping the write-ahead log bounded."""

from __future__ import annotations

from contextlib import suppress

import apsw

from distributed_queue.storage.sqlite.connection import Patience

CHECKPOINT_PAGES = 4000
"""Write the log back into the database about every 16 MiB: rare enough for pages that change often to be written once,
often enough for readers not to have to look through a long log."""
_STARVED = 4
"""When the log is this many times as long, readers have kept it from beginning anew: wait for them."""
_PATIENCE_SECONDS = 0.5


class WalKeeper:
    """Checkpoints between transactions, on the connection that writes."""

    def __init__(self) -> None:
        self._pages = 0
        self._next = CHECKPOINT_PAGES

    def watch(self, connection: apsw.Connection) -> None:
        """Learn of the log's length with each commit."""
        self._pages, self._next = 0, CHECKPOINT_PAGES
        connection.set_wal_hook(self._note)

    def _note(self, connection: apsw.Connection, schema: str, pages: int) -> int:  # noqa: ARG002  # SQLite's signature
        self._pages = pages
        if pages < CHECKPOINT_PAGES:
            self._next = CHECKPOINT_PAGES
        return apsw.SQLITE_OK

    def keep(self, connection: apsw.Connection) -> None:
        """Checkpoint if the log has grown enough. What hinders it is left to the next time."""
        if self._pages < self._next:
            return
        self._next = self._pages + CHECKPOINT_PAGES
        with suppress(apsw.Error):
            if self._pages < _STARVED * CHECKPOINT_PAGES:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            else:
                connection.set_busy_handler(Patience(_PATIENCE_SECONDS).wait)
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        connection.set_busy_handler(Patience().wait)
