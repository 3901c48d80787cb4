"""Exchanges with the storage, and the threads that carry some of them out while the pump goes on.

A busy worker has two under way where the storage works in a process of its own, which works on one while the handlers
run what the other brought. The pump alone decides what is asked and what follows from the answer; a courier only goes
there and back.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from distributed_queue.core.storage import Claim, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed_queue.core.storage import ClaimRequest, Settlement, Storage
    from distributed_queue.core.worker.attempt import Attempt

    ExchangeListener = Callable[[Sequence[Settlement], Exchange, float], None]
    """Told what was reported, what came of it, and how many seconds it took."""

_JOIN_SECONDS = 1.0


@dataclass(eq=False)
class Errand:
    """One exchange: what it reports and asks for, and what came of it."""

    reported: list[Attempt]
    settlements: list[Settlement]
    """Of those, in their order."""
    request: ClaimRequest | None
    started: float
    """On the monotonic clock."""
    answer: Exchange | None = None
    error: Exception | None = None
    waits: bool = False
    """Whether it claims only once there may be work; a listener carries it out."""
    called_off: bool = False
    """Whether it is to come back soon, and need not begin."""

    @property
    def asked(self) -> int:
        """How many tasks it may bring."""
        return self.request.limit if self.request is not None else 0

    def run(self, storage: Storage) -> None:
        """Carry it out; ``answer`` or ``error`` is set then."""
        try:
            self.answer = storage.exchange(self.settlements, self.request)
        except Exception as error:  # noqa: BLE001 - the pump decides what follows from it
            self.error = error

    def run_when_ready(self, storage: Storage, timeout: float) -> None:
        """The same for one that waits, at most ``timeout`` seconds."""
        assert self.request is not None  # noqa: S101  # or there is nothing to wait for
        try:
            claim = Claim([]) if self.called_off else storage.await_claim(self.request, timeout)
            self.answer = Exchange([], claim)
        except Exception as error:  # noqa: BLE001 - as above
            self.error = error


class Couriers:
    """Threads that carry out errands, and ``deliver`` them. They are started when they are first needed."""

    def __init__(self, name: str, storage: Storage, deliver: Callable[[Errand], None]) -> None:
        self._name = name
        self._storage = storage
        self._deliver = deliver
        self._inbox: SimpleQueue[Errand | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def send(self, errand: Errand) -> None:
        """Have an errand carried out."""
        if len(self._threads) < self._storage.exchanges_at_once:
            number = len(self._threads) + 1
            thread = threading.Thread(target=self._carry, name=f"dq-{self._name}-courier-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._inbox.put(errand)

    def close(self) -> None:
        """End the threads; one that is on its way, to a storage that does not answer, ends when it is back."""
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _carry(self) -> None:
        while (errand := self._inbox.get()) is not None:
            errand.run(self._storage)
            self._deliver(errand)
