"""API keys: what they look like, and what is kept of them.

A key is ``dq_<id>_<secret><sum>``: ten characters that name it, 32 random bytes in base 62, and a CRC-32 of what comes
before, so that scanners of published code know a key from what merely looks like one, and a mistyped key is told from
a wrong one without a look at those that exist. Only the SHA-256 of a key is kept. A slow hash would add nothing: it is
for what people choose, not for 256 random bits.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from typing import Annotated, NamedTuple

import msgspec

from distributed_queue.api.auth.roles import Role

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}$")
"""What a key may be called."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH = 10
_SECRET_BYTES = 32
_SECRET_LENGTH = 43
"""62^43 is just above 2^256."""
_SUM_LENGTH = 6
"""62^6 is just above 2^32."""
_KEY = re.compile(rf"dq_([0-9A-Za-z]{{{_ID_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH + _SUM_LENGTH}}}")


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key as it is kept. Times are seconds since the epoch."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{10}$")]
    name: Annotated[str, msgspec.Meta(pattern=NAME.pattern)]
    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """Of the whole key, in hexadecimal."""
    created_at: float
    expires_at: float | None = None
    """None: never."""
    revoked_at: float | None = None

    def state(self, now: float) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class NewKey(NamedTuple):
    """A key just made. ``text`` is the secret, and is kept nowhere."""

    text: str
    record: KeyRecord


def make_key(name: str, roles: tuple[Role, ...], now: float, expires_at: float | None) -> NewKey:
    """A new key."""
    identifier = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    secret = _base62(int.from_bytes(secrets.token_bytes(_SECRET_BYTES), "big"), _SECRET_LENGTH)
    start = f"dq_{identifier}_{secret}"
    text = start + _checksum(start)
    record = KeyRecord(
        id=identifier,
        name=name,
        roles=roles,
        sha256=digest(text.encode()).hex(),
        created_at=now,
        expires_at=expires_at,
    )
    return NewKey(text, record)


def key_id(key: bytes) -> str | None:
    """The id in a key; None where it is not one of ours, or has a mistake in it."""
    match = _KEY.fullmatch(key.decode("latin-1"))
    if match is None or _checksum(match[0][:-_SUM_LENGTH]) != match[0][-_SUM_LENGTH:]:
        return None
    return match[1]


def digest(key: bytes) -> bytes:
    """What is kept of a key, and compared: digests have one length, so a comparison tells nothing of the key's."""
    return hashlib.sha256(key).digest()


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _SUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
