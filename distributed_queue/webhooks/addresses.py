"""Which addresses webhooks may go to: public ones, unless a network is allowed.

Who may name an endpoint must not reach with it what only this machine reaches: services on loopback, a private
network, a cloud's metadata. A name is looked up once, and the connection is made to the very address that was checked:
a name that has another address a moment later is of no help.
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

from distributed_queue.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

MAX_URL_LENGTH = 2000
_PORTS = {"https": 443, "http": 80}

_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_CARRY_V4 = (ipaddress.IPv6Network("2001::/32"), ipaddress.IPv6Network("2002::/16"))
"""Teredo and 6to4: a relay may take these to an IPv4 address that is written in them."""
_OF_CLOUDS = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Public by their number, but a cloud's own service for its machines: Azure's. Other clouds' are not public."""
_SPECIAL_V4 = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))
"""Protocol assignments, among them a cloud's metadata, and relays: public to ``ipaddress``, at least in part."""


class ForbiddenAddress(InvalidInput):
    """A webhook would go where it must not."""

    code = "forbidden-address"


def is_public(address: Address) -> bool:
    """Whether everyone on the internet reaches the same at this address."""
    address = unwrapped(address)
    if address in _OF_CLOUDS or address.is_multicast or not address.is_global:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _CARRY_V4)


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, or behind NAT64); else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


@dataclass(frozen=True)
class AddressRules:
    """Where webhooks may go."""

    networks: Sequence[Network] = ()
    """These are allowed, though they are not public."""
    http: bool = False
    """Whether addresses may begin with ``http://``."""
    look_up: Callable[..., Sequence[Any]] = socket.getaddrinfo

    def check_url(self, url: str) -> SplitResult:
        """The parts of a URL. Raises ``ConfigurationError`` for one that is malformed or not allowed."""
        reason = self._objection(url)
        if reason:
            raise ConfigurationError(f"{url!r:.200} cannot be a webhook's address: {reason}")
        return urlsplit(url)

    def check(self, url: str) -> None:
        """As ``check_url``; and ``ForbiddenAddress`` where it leads now, as far as that can be said.

        Where a name leads may change: what counts is what ``resolve`` finds for each request.
        """
        parts = self.check_url(url)
        with suppress(OSError, UnicodeError):
            self.resolve(parts)

    def resolve(self, parts: SplitResult) -> list[tuple[int, Any]]:
        """Families and addresses to connect to, each checked. Raises ``ForbiddenAddress`` or ``OSError``.

        One forbidden address among several forbids all: which of them is used is nothing to rely on.
        """
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        found = self.look_up(host, port, type=socket.SOCK_STREAM)
        for _, _, _, _, where in found:
            # An address with a scope (fe80::1%eth0) is not public whatever the scope is.
            address = ipaddress.ip_address(str(where[0]).partition("%")[0])
            if not self._allows(address):
                raise ForbiddenAddress(
                    f"{host} is at {address}, which is not public; DQ_WEBHOOKS_ALLOW names networks that are allowed"
                )
        return [(family, where) for family, _, _, _, where in found]

    def _allows(self, address: Address) -> bool:
        plain = unwrapped(address)
        return is_public(address) or any(plain in network for network in self.networks)

    def _objection(self, url: str) -> str:
        if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            return f"it is up to {MAX_URL_LENGTH:,} printable ASCII characters, without spaces"
        try:
            parts = urlsplit(url)
            host = parts.hostname
            _ = parts.port
        except ValueError:
            return "it is not a URL"
        if parts.scheme not in _PORTS or (parts.scheme == "http" and not self.http):
            return "it begins with https://" + (" or http://" if self.http else " (DQ_WEBHOOKS_HTTP allows http://)")
        if not host:
            return "it names no host"
        if "@" in parts.netloc:
            return "it has a user or a password; the signature says who sends"
        return "it has a fragment, which is not sent" if parts.fragment else ""
