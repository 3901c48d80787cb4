"""Who may write: whoever sends the API key, where there is one.

The rule is applied to every request before it is routed, by its method, so that no endpoint can be forgotten.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from distributed_queue.api.problems import ApiProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "X-API-Key"
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

_KEY = HEADER.lower().encode()
_SITE = b"sec-fetch-site"
_OWN_SITES = frozenset({b"same-origin", b"none"})


class WriteGuard:
    """Refuses requests that must not write."""

    def __init__(self, api_key: str | None) -> None:
        # Digests have one length, so the comparison tells nothing of the key's.
        self._digest = None if api_key is None else _digest(api_key.encode())

    def check(self, method: str, headers: Mapping[bytes, bytes]) -> ApiProblem | None:
        """The problem with the request, or None if it may go on."""
        if method in READING_METHODS:
            return None
        if self._digest is not None and not hmac.compare_digest(_digest(headers.get(_KEY, b"")), self._digest):
            words = "is wrong" if _KEY in headers else "is missing"
            return ApiProblem(
                "unauthorized",
                f"Requests that change something need the header {HEADER}; it {words}.",
                headers={"WWW-Authenticate": f'ApiKey header="{HEADER}"'},
            )
        # A page that someone merely visits must not steer a queue on the same machine. Programs send no such header.
        if headers.get(_SITE, b"none") not in _OWN_SITES:
            return ApiProblem("cross-site", "Requests that change something are not taken from pages of other sites.")
        return None


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
