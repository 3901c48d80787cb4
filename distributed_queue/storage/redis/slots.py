"""Which primary of a Cluster has which slot, as the Cluster itself tells."""

from __future__ import annotations

import threading
from binascii import crc_hqx
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from distributed_queue.storage.redis.addresses import Address
from distributed_queue.storage.redis.faults import is_passing
from distributed_queue.storage.redis.pool import Pool
from distributed_queue.storage.redis.replies import ServerError

if TYPE_CHECKING:
    from distributed_queue.storage.redis.addresses import Target
    from distributed_queue.storage.redis.wire import Command

_WITHOUT_KEY = frozenset({b"TIME", b"PING", b"INFO", b"CONFIG"})
_SCRIPTS = frozenset({b"EVALSHA", b"EVAL"})

_SLOTS = 16384


@lru_cache(maxsize=_SLOTS)
def slot_of_key(key: bytes) -> int:
    """The slot of a key: by what is in its first braces, if there is anything, or all of it."""
    _, _, behind = key.partition(b"{")
    tag, closed, _ = behind.partition(b"}")
    return crc_hqx(tag if tag and closed else key, 0) % _SLOTS


def slot_of(command: Command) -> int | None:
    """The slot of a command's first key, which is that of all its keys; None for a command without keys."""
    if command[0] in _WITHOUT_KEY:
        return None
    return slot_of_key(command[3 if command[0] in _SCRIPTS else 1])


class Slots:
    """The map of slots. Thread-safe. Asked for anew once there was doubt."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._hosts = list(target.hosts)
        """Whom to ask: first those of the URL, then all that the Cluster has named."""
        self._owners: list[Address | None] = []
        self._doubted = True

    def owner(self, slot: int | None) -> Address:
        """The primary that has a slot; without one, any. Raises ``ServerError`` or ``OSError``."""
        owners = self._owners
        if self._doubted:
            owners = self._look()
        owner = next(filter(None, owners), None) if slot is None else owners[slot]
        if owner is None:
            raise ServerError(f"CLUSTERDOWN no server has slot {slot}")
        return owner

    def primaries(self) -> list[Address]:
        """All that have slots."""
        self.owner(None)
        return sorted({owner for owner in self._owners if owner is not None})

    def doubt(self) -> None:
        """Something was not where the map says."""
        self._doubted = True

    def _look(self) -> list[Address | None]:
        with self._lock:
            if not self._doubted:  # another thread has just looked
                return self._owners
            errors = {}
            # One that is cut off from the others answers too, from memory: so it is another's turn each time.
            self._hosts.append(self._hosts.pop(0))
            for host in list(self._hosts):
                try:
                    answer = Pool(self._target.at(host)).first_answer((b"CLUSTER", b"SLOTS"))
                except (ServerError, OSError) as error:
                    if not is_passing(error):
                        raise
                    errors[host] = str(error)
                    continue
                self._learn(answer, host)
                return self._owners
        reasons = "; ".join(f"{host}: {reason}" for host, reason in errors.items())
        raise ConnectionError(f"no server of the Cluster answers ({reasons})")

    def _learn(self, answer: list[Any], asked: Address) -> None:
        owners: list[Address | None] = [None] * _SLOTS
        known = {asked: None}
        for first, last, *nodes in answer:
            # A server that does not know its own name leaves it out.
            addresses = [Address((host or b"").decode() or asked.host, port) for host, port, *_ in nodes]
            known |= dict.fromkeys(addresses)
            owners[first : last + 1] = [addresses[0]] * (last + 1 - first)
        self._hosts = [*known, *(host for host in self._target.hosts if host not in known)]
        self._owners = owners
        self._doubted = False
