"""Who may see and do what. Who someone is, the program that serves the dashboard knows."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request


class Permission(str, Enum):
    """What the dashboard lets someone do."""

    READ = "read"
    SUBMIT = "submit"
    """Submit, retry and cancel tasks."""
    ADMIN = "admin"
    """Everything else: queues, workers, dead letters, deleting."""

    __str__ = str.__str__


class Viewer(NamedTuple):
    """Who looks."""

    name: str
    roles: tuple[str, ...]
    """Of their key, to be shown."""
    permissions: frozenset[Permission]
    token: object = None
    """What the gate needs to know them again; nobody else looks into it."""

    def may(self, permission: Permission | str) -> bool:
        """Whether they have the permission."""
        return Permission(permission) in self.permissions


class Refusal(NamedTuple):
    """Why a key does not let its bearer in."""

    detail: str
    status: int = 401


class KeyRow(NamedTuple):
    """What may be shown of an API key. Times are seconds since the epoch."""

    name: str
    id: str
    roles: tuple[str, ...]
    state: str
    """``active``, ``expired`` or ``revoked``."""
    created_at: float | None = None
    expires_at: float | None = None
    """None: never."""
    used_at: float | None = None
    """When it was last used with this server, since it started."""


class Gate(Protocol):
    """Knows the keys. Called in the server's event loop, so it must not block."""

    @property
    def closed(self) -> bool:
        """Whether one has to sign in with a key."""

    def admit(self, key: str, address: str) -> Viewer | Refusal:
        """Who sent the key from that address."""

    def still_knows(self, viewer: Viewer) -> bool:
        """Whether the key that a viewer signed in with is valid still."""

    def keys(self) -> Sequence[KeyRow]:
        """All keys, also those that count no more. Nothing that opens a door."""

    def record(self, request: Request, viewer: Viewer, facts: Mapping[str, Any]) -> None:
        """Tell the log of changes who sent the request, and what it is about. No payloads."""


class OpenGate:
    """Lets everyone do everything: where no key is set, and the port is reached from this machine only."""

    closed = False

    def admit(self, key: str, address: str) -> Viewer | Refusal:
        """Nobody is asked."""
        del key, address
        return ANYONE

    def still_knows(self, viewer: Viewer) -> bool:
        """Everyone is."""
        del viewer
        return True

    def keys(self) -> Sequence[KeyRow]:
        """There are none."""
        return ()

    def record(self, request: Request, viewer: Viewer, facts: Mapping[str, Any]) -> None:
        """Nobody keeps a log."""


ANYONE = Viewer("anyone", ("admin",), frozenset(Permission))
