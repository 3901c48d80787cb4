"""The claim of a worker that waits for work, if there is one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed_queue.core.storage import Storage
    from distributed_queue.core.worker.courier import Errand

CALL_AGAIN_SECONDS = 0.05
"""How soon one that was called off is called again: a wake that comes before the wait is missed."""
_CALL_OFF_SECONDS = 1.0
"""How long a storage that does not answer may keep others from going on."""


class Vigil:
    """Begun and ended by the pump; called off by whoever wants nothing claimed any more. Thread-safe."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.gate = threading.Lock()
        """Held by who looks whether a claim may wait, until it does."""
        self.errand: Errand | None = None
        self._over = threading.Event()
        self._over.set()

    @property
    def asked(self) -> int:
        """How many tasks it may bring."""
        return 0 if self.errand is None else self.errand.asked

    @property
    def is_called_off(self) -> bool:
        """Whether it is to end, and has not yet."""
        return self.errand is not None and self.errand.called_off

    def begin(self, errand: Errand) -> None:
        """It waits from now on. The gate is held."""
        self.errand = errand
        self._over.clear()

    def end(self) -> None:
        """It waits no more."""
        self.errand = None
        self._over.set()

    def hurry(self) -> None:
        """Let it end soon, without waiting for that."""
        errand = self.errand
        if errand is not None:
            errand.called_off = True
            self._storage.wake()

    def call_off(self) -> None:
        """Return when it has ended, or the storage takes too long to say so."""
        end = time.monotonic() + _CALL_OFF_SECONDS
        with self.gate:  # whoever is about to begin one has begun it then
            pass
        while self.errand is not None and time.monotonic() < end:
            self.hurry()
            self._over.wait(CALL_AGAIN_SECONDS)
