"""A storage whose answers get lost, as over a network: before the step, or after it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from distributed_queue.errors import StorageUnavailable

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from distributed_queue.core.storage import (
        Claim,
        ClaimRequest,
        Exchange,
        Lease,
        LeaseState,
        NewTask,
        Settlement,
        Storage,
    )
T = TypeVar("T")


class LossyStorage:
    """Passes on to a storage; loses the request with probability ``before``, the answer with ``after``."""

    def __init__(self, storage: Storage, chance: random.Random, before: float, after: float) -> None:
        self._storage = storage
        self._chance = chance
        self.before = before
        self.after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def enqueue(self, tasks: Sequence[NewTask]) -> list[bool]:
        """See ``Storage.enqueue``."""
        return self._pass_on(lambda: self._storage.enqueue(tasks))

    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        """See ``Storage.exchange``."""
        return self._pass_on(lambda: self._storage.exchange(settlements, request))

    def claim(self, request: ClaimRequest) -> Claim:
        """See ``Storage.claim``."""
        return self.exchange((), request).claim

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See ``Storage.settle``."""
        return self.exchange(settlements, None).settled

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        """See ``Storage.extend``."""
        return self._pass_on(lambda: self._storage.extend(leases, lease_seconds))

    def _pass_on(self, verb: Callable[[], T]) -> T:
        if self._chance.random() < self.before:
            raise StorageUnavailable(self._storage.url, "the request was lost (on purpose)")
        answer = verb()
        if self._chance.random() < self.after:
            raise StorageUnavailable(self._storage.url, "the answer was lost (on purpose)")
        return answer
