"""A storage that fails where it is told to, for tests of what a program then does."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import msgspec

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.registry import open_storage
from distributed_queue.core.storage import Storage
from distributed_queue.errors import ConfigurationError, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed_queue.core.clock import Clock
    from distributed_queue.core.storage import Claim, ClaimRequest, Exchange, Settlement

T = TypeVar("T")
When = Literal["before", "after"]

OPERATIONS = Storage.__abstractmethods__ - {"close", "promise", "wake"} | {"claim", "settle"}
"""What can be made to fail. Most programs meet ``enqueue``; workers ``claim``, ``settle`` and ``extend``."""


class _Fault(msgspec.Struct):
    """From the call number ``first`` of an operation up to ``last``."""

    operation: str
    first: int
    last: int
    when: When
    error: Exception | None


class FaultyStorage:
    """Passes everything on to the storage at ``url``, unless it was told to fail; thread-safe.

    Over it, ``queue()`` makes a queue::

        storage = FaultyStorage("memory://")
        queue = storage.queue(max_size=100)
        storage.fail("enqueue")
        queue.put(task)  # raises StorageUnavailable
    """

    def __init__(self, url: str = "memory://", clock: Clock | None = None) -> None:
        self._storage = open_storage(url, clock)
        self._lock = threading.Lock()
        self._calls: dict[str, int] = {}
        self._faults: list[_Fault] = []

    def fail(
        self,
        operation: str,
        *,
        nth: int = 1,
        times: int = 1,
        when: When = "before",
        error: Exception | None = None,
    ) -> None:
        """Let the ``nth`` call of an operation from now on fail, and the ``times - 1`` after it.

        ``when="before"``: nothing is done. ``when="after"``: it is done, and its reply is lost, so that the caller
        cannot know. It raises ``error``, by default ``StorageUnavailable``. A worker's exchanges count as ``claim``
        where they ask for tasks, and as ``settle`` where they report outcomes.
        """
        if operation not in OPERATIONS or nth < 1 or times < 1 or when not in {"before", "after"}:
            raise ConfigurationError(
                f"fail({operation!r:.50}, nth={nth}, times={times}, when={when!r:.50}) makes no sense: operations are "
                f"{', '.join(sorted(OPERATIONS))}; numbers count from 1; it fails 'before' the step or 'after' it"
            )
        with self._lock:
            first = self._calls.get(operation, 0) + nth
            self._faults.append(_Fault(operation, first, first + times - 1, when, error))

    def heal(self) -> None:
        """Forget what is still to fail."""
        with self._lock:
            self._faults.clear()

    def calls(self, operation: str) -> int:
        """How often an operation was called so far, those that failed included."""
        return self._calls.get(operation, 0)

    def queue(self, **options: Any) -> HybridQueue:
        """A queue over this storage; the options are those of ``HybridQueue``. Closing it closes the storage."""
        return HybridQueue(storage=cast("Storage", self), **options)

    # As a storage

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._storage, name)
        return partial(self._pass_on, (name,), found) if name in OPERATIONS else found

    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        """See ``Storage.exchange``."""
        parts = ("exchange", *(("settle",) if settlements else ()), *(("claim",) if request is not None else ()))
        return self._pass_on(parts, self._storage.exchange, settlements, request)

    def claim(self, request: ClaimRequest) -> Claim:
        """See ``Storage.claim``."""
        return self.exchange((), request).claim

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See ``Storage.settle``."""
        return self.exchange(settlements, None).settled

    def _pass_on(self, operations: Sequence[str], step: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        fault = self._count(operations)
        if fault is not None and fault.when == "before":
            raise self._error(fault, "the request was lost (on purpose)")
        answer = step(*args, **kwargs)
        if fault is not None:
            raise self._error(fault, "the reply was lost (on purpose)")
        return answer

    def _count(self, operations: Sequence[str]) -> _Fault | None:
        """Count a call; the fault that it has, if any."""
        with self._lock:
            for operation in operations:
                self._calls[operation] = self._calls.get(operation, 0) + 1
            self._faults = [fault for fault in self._faults if fault.last >= self._calls.get(fault.operation, 0)]
            for fault in self._faults:
                if fault.operation in operations and fault.first <= self._calls[fault.operation]:
                    return fault
        return None

    def _error(self, fault: _Fault, text: str) -> Exception:
        return StorageUnavailable(self._storage.url, text) if fault.error is None else fault.error
