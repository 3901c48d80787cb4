"""One request to one endpoint, within a time limit.

By the standard library's ``http.client``: it takes a socket that is connected already, so the address that was checked
is the one that is used, it follows no redirects and knows no proxies, and core programs need no other package.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import closing, suppress
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core.clock import SystemClock
from distributed_queue.errors import DistributedQueueError
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from distributed_queue.webhooks.addresses import AddressRules

TIMEOUT_SECONDS = 15.0
"""For all of a request, from its connection to its answer."""
_EXCERPT_BYTES = 1024
"""How much of an answer's body is read, where it tells of a failure."""
_EXCERPT_LENGTH = 200
_SUCCESS = range(200, 300)


class DeliveryFailed(DistributedQueueError):
    """An endpoint did not take a message."""

    code = "delivery-failed"
    transient = True


class Answer(NamedTuple):
    """What an endpoint said."""

    status: int
    retry_after: float | None = None
    """Seconds."""
    text: str = ""
    """The beginning of its body, where it did not take the message."""

    @property
    def taken(self) -> bool:
        """Whether it has the message."""
        return self.status in _SUCCESS


def send(  # noqa: PLR0913 - a request's parts
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    rules: AddressRules,
    *,
    timeout: float = TIMEOUT_SECONDS,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """POST a JSON document. ``trust`` says whose certificates count, by default those that the system trusts.

    Raises ``ConfigurationError``, ``ForbiddenAddress``, or ``DeliveryFailed`` where there is no answer.
    """
    parts = rules.check_url(url)
    end = time.monotonic() + timeout
    try:
        with closing(_connect(parts, rules, trust, end)) as connected:
            # A limit for each read alone would let an endpoint that sends a byte now and then go on for ever.
            cut = threading.Timer(max(0.0, end - time.monotonic()), _cut, (connected,))
            cut.daemon = True
            cut.start()
            try:
                if isinstance(connected, ssl.SSLSocket):
                    connected.do_handshake()
                answer = _exchange(connected, parts, body, headers)
            finally:
                cut.cancel()
            if time.monotonic() < end:
                return answer
            # Its headers may have been cut off, which http.client takes for their end.
            raise TimeoutError
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        if time.monotonic() >= end:
            raise DeliveryFailed(f"{parts.hostname} did not answer within {timeout:g} s") from error
        raise DeliveryFailed(f"{parts.hostname} cannot be reached: {error or type(error).__name__}") from error


def _connect(parts: SplitResult, rules: AddressRules, trust: ssl.SSLContext | None, end: float) -> socket.socket:
    """A connection to the first address that takes one; its handshake is yet to come."""
    failure = OSError("it has no address")
    for family, where in rules.resolve(parts):
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(max(0.001, end - time.monotonic()))
            plain.connect(where)
            if parts.scheme == "http":
                return plain
            context = trust or _trust()
            return context.wrap_socket(plain, server_hostname=parts.hostname, do_handshake_on_connect=False)
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
    raise failure


def _exchange(connected: socket.socket, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> Answer:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port)
    connection.sock = connected
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    ours = {
        "Content-Type": "application/json",
        "User-Agent": f"DistributedQ/{__version__}",
        "Connection": "close",
        **headers,
    }
    connection.request("POST", path, body, ours)
    with closing(connection.getresponse()) as answer:
        excerpt = b"" if answer.status in _SUCCESS else answer.read(_EXCERPT_BYTES)
        text = " ".join(excerpt.decode("utf-8", "replace").split())[:_EXCERPT_LENGTH]
        return Answer(answer.status, _seconds(answer.getheader("Retry-After")), text)


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        # Not the method of an SSLSocket, which would let go of what another thread reads from.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """Whom the system trusts; ``SSL_CERT_FILE`` names others."""
    return ssl.create_default_context()


def _seconds(text: str | None) -> float | None:
    """What ``Retry-After`` says, as a number or a date."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text[:10])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - SystemClock().now())
    except (ValueError, OverflowError):
        return None
