"""Tokens that tell a server whether it has run an operation before.

A reply may be lost; the client then sends the same script again. So each operation has a *slot* of its client, which no
two operations use at once, and in it a *token*, which only goes up. The script remembers under the slot what it
answered to the token (``scripts/include/operation.lua``), so there is one small record a slot and queue, however many
operations.

An exchange that was never answered, though it was tried again, may have opened leases that nobody knows of. Its slot is
kept for the worker, and its next exchange bears the same token: it is given those tasks, with new leases.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from distributed_queue.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN_DIGITS = 12


class Slot:
    """A place for one operation at a time."""

    __slots__ = ("_number", "again", "name")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self._number = 0
        self.again = False
        """Whether an earlier operation under this token was never answered."""

    @property
    def token(self) -> str:
        """The token of the operation in progress. Tokens have equal length, so that they compare as texts."""
        return f"{self._number:0{_TOKEN_DIGITS}}"

    def turn(self) -> None:
        """Begin a new operation."""
        self._number += 1
        self.again = False


class Operations:
    """The slots of one client. Thread-safe; a forked child starts anew."""

    def __init__(self) -> None:
        self._start()

    @contextmanager
    def begin(self, worker_id: str | None = None) -> Iterator[Slot]:
        """A slot for one operation; a worker gets back that of its exchange which was never answered."""
        if self._pid != os.getpid():
            self._start()
        slot = self._take(worker_id)
        unanswered = False
        try:
            yield slot
        except StorageError:
            unanswered = True
            raise
        finally:
            if unanswered and worker_id is not None:
                self._keep(worker_id, slot)
            else:
                self._free.append(slot)

    def _start(self) -> None:
        self._pid = os.getpid()
        self._client = os.urandom(8).hex()
        self._lock = threading.Lock()
        self._made = 0
        self._free: list[Slot] = []
        self._unanswered: dict[str, list[Slot]] = {}

    def _keep(self, worker_id: str, slot: Slot) -> None:
        slot.again = True
        with self._lock:
            self._unanswered.setdefault(worker_id, []).append(slot)

    def _take(self, worker_id: str | None) -> Slot:
        if worker_id in self._unanswered:
            with self._lock:
                kept = self._unanswered.get(worker_id)
                if kept:
                    slot = kept.pop()
                    if not kept:
                        del self._unanswered[worker_id]
                    return slot
        try:
            slot = self._free.pop()
        except IndexError:
            with self._lock:
                self._made += 1
                slot = Slot(f"{self._client}.{self._made}".encode())
        slot.turn()
        return slot
