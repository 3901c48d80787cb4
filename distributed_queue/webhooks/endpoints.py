"""Endpoints: where messages go, which ones, and the secrets that sign them."""

from __future__ import annotations

import secrets
import string
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import msgspec

from distributed_queue.webhooks.signing import new_secret, secret_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_EVENTS = ("task.completed", "task.dead", "task.cancelled", "task.expired")
"""How tasks end."""
_ALPHABET = string.digits + string.ascii_letters
_ID_LENGTH = 10


class Secret(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One of an endpoint's secrets."""

    text: str
    until: float | None = None
    """Seconds since the epoch from which on it signs no more; None: never."""

    def signs(self, now: float) -> bool:
        """Whether messages are signed with it."""
        return self.until is None or self.until > now


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who is told of what. Times are seconds since the epoch."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{10}$")]
    url: str
    secrets: Annotated[tuple[Secret, ...], msgspec.Meta(min_length=1)]
    """The latest first."""
    events: tuple[str, ...] = DEFAULT_EVENTS
    """Names of events, or patterns of them: ``task.*``."""
    queues: tuple[str, ...] = ()
    """Names or patterns; empty means all."""
    types: tuple[str, ...] = ()
    """Names or patterns of task types; empty means all."""
    payload: bool = False
    """Whether messages have the task's payload, result and error in them."""
    created_at: float
    """What happened before is not told."""
    disabled_at: float | None = None
    disabled_because: str = ""

    @property
    def enabled(self) -> bool:
        """Whether it is told anything."""
        return self.disabled_at is None

    def chooses_queue(self, queue: str) -> bool:
        """Whether it is told of a queue."""
        return not self.queues or _matches(queue, self.queues)

    def chooses(self, queue: str, event: str, at: float) -> bool:
        """Whether it is told of an event, as far as that can be said without the task's type."""
        return self.enabled and at >= self.created_at and self.chooses_queue(queue) and _matches(event, self.events)

    def chooses_type(self, task_type: str | None) -> bool:
        """Whether it is told of tasks of a type; None where the task is not known any more."""
        return not self.types or (task_type is not None and _matches(task_type, self.types))

    def keys(self, now: float) -> list[bytes]:
        """What its messages are signed with."""
        return [secret_bytes(secret.text) for secret in self.secrets if secret.signs(now)]


def new_endpoint(  # noqa: PLR0913 - an endpoint's fields
    url: str,
    now: float,
    *,
    events: Sequence[str] = (),
    queues: Sequence[str] = (),
    types: Sequence[str] = (),
    payload: bool = False,
) -> Endpoint:
    """An endpoint with an id and a secret of its own."""
    return Endpoint(
        id="".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)),
        url=url,
        secrets=(Secret(new_secret()),),
        events=tuple(events) or DEFAULT_EVENTS,
        queues=tuple(queues),
        types=tuple(types),
        payload=payload,
        created_at=now,
    )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
