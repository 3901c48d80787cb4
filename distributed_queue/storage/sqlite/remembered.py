"""What the connection that writes has read or written before, and need not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import apsw

_MOST_QUEUES = 1000
"""With more of them, what is remembered is forgotten: it is worth a few reads a step, not memory without end."""


class Remembered:
    """Rows as they are in the file, within the writer's transactions.

    ``Connection.data_version`` (SQLite's ``SQLITE_FCNTL_DATA_VERSION``) counts all commits that a connection has made
    or met. So inside a transaction it is what it was after the last own commit unless another connection has committed
    in between, of this process or of any. Whoever rolls something back has to ``forget``.
    """

    def __init__(self) -> None:
        self.queues: dict[str, tuple[Any, ...]] = {}
        """Rows of ``queue_rows``, by name; of mixed types."""
        self.types: set[tuple[int, str]] = set()
        """Task types that are counted by name, with the key of their queue."""
        self.oldest: dict[int, tuple[int, int, int]] = {}
        """The first row of each queue's journal, as ``journal_oldest.sql`` gives it, by the queue's key."""
        self._version: int | None = None

    def begun(self, connection: apsw.Connection) -> None:
        """A transaction that writes was begun: keep what still holds."""
        if connection.data_version() != self._version or len(self.queues) > _MOST_QUEUES:
            self.forget()

    def committed(self, connection: apsw.Connection) -> None:
        """It was committed."""
        self._version = connection.data_version()

    def forget(self) -> None:
        """Start afresh."""
        self.queues.clear()
        self.types.clear()
        self.oldest.clear()
        self._version = None
