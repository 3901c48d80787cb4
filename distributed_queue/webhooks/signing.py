"""Signatures after the Standard Webhooks specification, version 1 (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = "whsec_"
_BYTES = 32
_FEWEST, _MOST = 24, 64
"""How many bytes the specification wants a secret to have."""


def new_secret() -> str:
    """A secret, as receivers are told it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def secret_bytes(secret: str) -> bytes:
    """What a secret stands for. Raises ``ConfigurationError``, without showing it."""
    try:
        found = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not secret.startswith(_PREFIX) or not _FEWEST <= len(found) <= _MOST:
        raise ConfigurationError(
            f"A webhook's secret is {_PREFIX} and {_FEWEST} to {_MOST} bytes in base64; this one is not"
        )
    return found


def sign(message_id: str, timestamp: int, body: bytes, keys: Iterable[bytes]) -> dict[str, str]:
    """The headers of a message: one signature for each key, so that receivers may change theirs at leisure."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    signatures = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
