"""What happens between one member and the storage: each has a proxy of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from distributed_queue.testing.campaign.faults import FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.testing.proxy import FaultProxy

_REPLIES = 3


def network_faults(proxies: dict[str, FaultProxy], lease_seconds: float) -> list[FaultKind]:
    """Everything that the proxies can do; ``proxies`` by places."""
    places = tuple(proxies)

    def moment(act: Callable[[FaultProxy], None]) -> Callable[[str], Iterator[None]]:
        def strike(slot: str) -> Iterator[None]:
            act(proxies[slot])
            yield

        return strike

    return [
        FaultKind("connections cut", places, contextmanager(moment(lambda proxy: proxy.cut()))),
        FaultKind("connections reset", places, contextmanager(moment(lambda proxy: proxy.reset()))),
        FaultKind("replies lost", places, contextmanager(moment(lambda proxy: proxy.swallow(_REPLIES))), weight=2),
        FaultKind("partition", places, lambda slot: proxies[slot].silent(), (0.3, 1.5 * lease_seconds), weight=2),
        FaultKind("network slow", places, lambda slot: proxies[slot].slow(0.02, 0.05), (0.5, 2.0)),
        FaultKind("connections refused", places, lambda slot: proxies[slot].refusing(), (0.2, 1.5)),
    ]
