"""What an acknowledged task survives, as four profiles, each of which includes those before it.

=============  ==========================================================================  ===========================
``none``       the death of any worker and client                                          memory; Redis without AOF
``standard``   and that of the storage's process; a power cut may cost the last seconds    Redis AOF; SQLite NORMAL
``durable``    and a power cut: it is on the disk before it is acknowledged                fsync always; SQLite FULL
``replicated`` and the loss of a host: other hosts have it before it is acknowledged       Redis ``WAIT``
=============  ==========================================================================  ===========================

Two of them are not quite nested: a replicated storage may be no more than ``standard`` on each of its hosts, and then a
power cut that strikes all of them at once may cost the last seconds.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from distributed_queue.errors import ConfigurationError, InvalidStorageURL, StorageIncompatible

MOST_REPLICAS = 100
_OPTION = re.compile(r"(durability|replicas)=(.*)")


class Durability(str, Enum):
    """A profile. Later ones are the stronger ones."""

    NONE = "none"
    STANDARD = "standard"
    DURABLE = "durable"
    REPLICATED = "replicated"

    def __str__(self) -> str:
        return self.value

    def includes(self, other: Durability) -> bool:
        """Whether whoever asks for ``other`` is content with this."""
        order = list(Durability)
        return order.index(self) >= order.index(other)


class Demand(NamedTuple):
    """What a user wants at least."""

    profile: Durability
    replicas: int = 1
    """How many have to confirm, where the profile is ``replicated``."""


class Promise(NamedTuple):
    """What a storage keeps to, as found out from its own settings."""

    profile: Durability | None
    """None where it cannot be found out."""
    survives: str
    """The same in words, as a sentence."""
    remedies: dict[Durability, str] = {}  # noqa: RUF012  # never changed
    """How to get a stronger profile."""
    advice: tuple[str, ...] = ()
    """What should be changed besides."""

    def __str__(self) -> str:
        return f"{self.profile or 'unknown'}: {self.survives}"

    def falls_short(self, demand: Demand | None) -> str:
        """What is missing from a demand and how to get it, as sentences; nothing where it is met."""
        if demand is None or (self.profile is not None and self.profile.includes(demand.profile)):
            return ""
        has = "cannot be told" if self.profile is None else f"is {self.profile}"
        remedy = self.remedies.get(demand.profile, "Name another storage.")
        return f"durability={demand.profile} is demanded, and that of this storage {has}. {self.survives} {remedy}"


def check_promise(promise: Promise, demand: Demand, url: str) -> None:
    """Raise ``StorageIncompatible`` where the storage promises less than is demanded. ``url`` has no password."""
    missing = promise.falls_short(demand)
    if missing:
        raise StorageIncompatible(f"{url}: {missing}")


def read_demand(url: str, durability: Durability | str | None = None) -> tuple[str, Demand | None]:
    """The storage URL without ``durability=`` and ``replicas=``, and what they and the argument demand together.

    The stronger one counts. ``replicas=`` demands ``replicated``. Raises ``ConfigurationError``.
    """
    base, mark, query = url.partition("?")
    options = query.split("&") if mark else []
    others = [option for option in options if not _OPTION.fullmatch(option)]
    given = dict(option.split("=", 1) for option in options if option not in others)
    wanted = [] if durability is None else [_profile(durability, ConfigurationError)]
    replicas = 1
    if "durability" in given:
        wanted.append(_profile(given["durability"], InvalidStorageURL))
    if "replicas" in given:
        replicas = _replicas(given["replicas"])
        wanted.append(Durability.REPLICATED)
    rest = f"{base}?{'&'.join(others)}" if others else base
    if not wanted:
        return rest, None
    return rest, Demand(max(wanted, key=list(Durability).index), replicas)


def _profile(text: str, error: type[ConfigurationError]) -> Durability:
    try:
        return Durability(text)
    except ValueError:
        raise error(f"durability is {text!r:.50}; it is one of {', '.join(map(str, Durability))}") from None


def _replicas(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_REPLICAS:
        raise InvalidStorageURL(f"replicas is {text!r:.50}; it is a whole number from 1 to {MOST_REPLICAS}")
    return int(text)
