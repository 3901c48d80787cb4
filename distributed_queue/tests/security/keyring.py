"""A key file with a key of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.api.auth.keyfile import changing_keys
from distributed_queue.api.auth.keys import KeyRecord, make_key
from distributed_queue.api.auth.roles import Role
from distributed_queue.core.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
now = SystemClock().now


def add_key(path: Path, name: str, *roles: Role, expires_at: float | None = None) -> str:
    """Put a key into a file; its text."""
    made = make_key(name, roles, now(), now() + DAY if expires_at is None else expires_at)
    with changing_keys(path) as keys:
        keys.append(made.record)
    return made.text


def revoke_key(path: Path, name: str) -> None:
    """Take a key's rights away."""
    with changing_keys(path) as keys:
        keys[:] = [_revoked(key) if key.name == name else key for key in keys]


def every_kind(path: Path) -> dict[str, str]:
    """Keys that are good, by role, and keys that are not; all in, or not in, the file."""
    keys = {str(role): add_key(path, str(role), role) for role in Role}
    keys["submit and work"] = add_key(path, "both", Role.SUBMIT, Role.WORK)
    keys["expired"] = add_key(path, "expired", Role.ADMIN, expires_at=now() - 1)
    keys["revoked"] = add_key(path, "revoked", Role.ADMIN)
    revoke_key(path, "revoked")
    keys["unknown"] = make_key("unknown", (Role.ADMIN,), now(), None).text
    keys["mistyped"] = _mistyped(keys["admin"])
    keys["malformed"] = "dq_admin"
    return keys


def _revoked(key: KeyRecord) -> KeyRecord:
    return KeyRecord(
        id=key.id, name=key.name, roles=key.roles, sha256=key.sha256, created_at=key.created_at, revoked_at=now()
    )


def _mistyped(key: str) -> str:
    return key[:20] + ("a" if key[20] != "a" else "b") + key[21:]
