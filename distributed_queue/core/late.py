"""A storage that cannot be reached yet: what stands for it, so that a program can start without it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from distributed_queue.errors import QueueClosed, StorageUnavailable

if TYPE_CHECKING:
    from distributed_queue.core.storage import Storage


class LateStorage:
    """Until ``attach``, every verb raises ``StorageUnavailable``; afterwards it is the storage that was attached.

    It does not derive from the port: whatever the port has or gets is passed on.
    """

    def __init__(self, url: str, cause: str) -> None:
        self.url = url
        """Without a password."""
        self.cause = cause
        """Why it cannot be reached, in words."""
        self._storage: Storage | None = None
        self._closed = False

    @property
    def awaited(self) -> bool:
        """See ``Storage``."""
        return self._storage is None

    @property
    def exchanges_at_once(self) -> int:
        """See ``Storage``."""
        return 1 if self._storage is None else self._storage.exchanges_at_once

    def attach(self, storage: Storage) -> None:
        """Be this storage from now on, which is closed with this one. Raises ``QueueClosed`` where that is over."""
        if self._closed:
            storage.close()
            raise QueueClosed("The queue was closed.")
        self._storage = storage

    def wake(self) -> None:
        """See ``Storage``."""
        if self._storage is not None:
            self._storage.wake()

    def close(self) -> None:
        """See ``Storage``."""
        self._closed = True
        if self._storage is not None:
            self._storage.close()

    def __getattr__(self, name: str) -> Any:
        """A verb, or an attribute, of the storage. A verb that was looked up too early works once it is there."""
        return partial(self._call, name) if self._storage is None else getattr(self._storage, name)

    def _call(self, verb: str, *arguments: Any, **options: Any) -> Any:
        if self._storage is not None:
            return getattr(self._storage, verb)(*arguments, **options)
        if self._closed:
            raise QueueClosed("The queue was closed.")
        raise StorageUnavailable(self.url, self.cause)
