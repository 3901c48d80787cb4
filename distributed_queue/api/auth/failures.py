"""Slows down whoever guesses keys: failed attempts are counted by client address, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
TRUST_SECONDS = 86_400.0
"""How long an address that sent a right key is not held up. Else one client with an old key would lock out all others
that come through the same proxy."""
MAX_ADDRESSES = 10_000
"""Addresses that are remembered; those that were seen least recently are forgotten first."""
_NETWORK_BITS = 64
"""What one customer has of IPv6 at least."""


@dataclass
class _History:
    since: float = float("-inf")
    failures: int = 0
    trusted_until: float = float("-inf")


class Failures:
    """Failed attempts of the last minute. Times are seconds of a clock that only goes forward."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._histories: OrderedDict[str, _History] = OrderedDict()

    def wait_seconds(self, address: str, now: float) -> float:
        """How long the address has to wait before it may try again; 0 where it need not."""
        history = self._histories.get(_network(address))
        if history is None or history.failures < self._limit or now < history.trusted_until:
            return 0.0
        return max(0.0, history.since + WINDOW_SECONDS - now)

    def failed(self, address: str, now: float) -> None:
        """Count a failed attempt."""
        history = self._history(address)
        if now - history.since >= WINDOW_SECONDS:
            history.since, history.failures = now, 0
        history.failures += 1

    def succeeded(self, address: str, now: float) -> None:
        """Note that a right key came from the address."""
        self._history(address).trusted_until = now + TRUST_SECONDS

    def __len__(self) -> int:
        return len(self._histories)

    def _history(self, address: str) -> _History:
        network = _network(address)
        history = self._histories.setdefault(network, _History())
        self._histories.move_to_end(network)
        if len(self._histories) > MAX_ADDRESSES:
            self._histories.popitem(last=False)
        return history


def _network(address: str) -> str:
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{address.partition('%')[0]}/{_NETWORK_BITS}", strict=False))
    except ValueError:
        return address
