"""What the verbs say to a storage of Redis, whatever it is made of: sent, retried after trouble, answered.

A command that is sent again bears the same token, so that what it did the first time is not done twice.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from distributed_queue.errors import QueueClosed, StorageIncompatible
from distributed_queue.storage.redis.faults import code_of, is_passing, translate
from distributed_queue.storage.redis.replies import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from distributed_queue.storage.redis.addresses import Target
    from distributed_queue.storage.redis.durability import Confirmation
    from distributed_queue.storage.redis.pool import Pool
    from distributed_queue.storage.redis.wire import Command, Connection

P = ParamSpec("P")
T = TypeVar("T")

RETRY_SECONDS = 2.0
"""How long a command is tried again after trouble that may pass."""
FAIL_OVER_SECONDS = 6.0
"""The same where another server may take over: a quick fail-over goes unnoticed."""
_PAUSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
_OLDEST_VERSION = (6, 2)


class Connections(ABC):
    """The connections of one client. Thread-safe, and a forked child makes its own."""

    retry_seconds = RETRY_SECONDS

    def __init__(self, target: Target) -> None:
        self.url = target.url
        self.engine = f"redis+{target.topology}" if target.topology else "redis"
        self.confirmation: Confirmation | None = None
        """What stands behind commands that are run ``confirmed``; None where the server's own answer is enough."""
        self.troubles = 0
        """How often a server had to be asked again: it may have been restarted since, or be another one."""
        self._closed = False

    # What depends on the servers

    @abstractmethod
    def check_servers(self) -> None:
        """Look whether they can be used. Raises ``StorageUnavailable`` or ``StorageIncompatible``."""

    @abstractmethod
    def run_everywhere(self, commands: Sequence[Command]) -> list[list[Any]]:
        """As ``run_all``, on each server that takes writes."""

    @abstractmethod
    def blocking(self, key: bytes) -> AbstractContextManager[Connection]:
        """A connection for a command on this key that blocks, up to ``BLOCK_SECONDS``."""

    @abstractmethod
    def said(self, key: bytes, command: Command) -> Command:
        """A command as the server with this key takes it."""

    @abstractmethod
    def together(self, keys: Sequence[bytes]) -> list[tuple[bytes, ...]]:
        """The keys, in groups each of which one command can name."""

    @abstractmethod
    def _attempt(self, commands: Sequence[Command], confirmation: Confirmation | None = None) -> list[Any]:
        """See ``run_all``. Raises ``ServerError`` or ``OSError``."""

    @abstractmethod
    def _doubt(self) -> None:
        """There was trouble: build up anew what was known and connected."""

    @abstractmethod
    def _hang_up(self) -> None:
        """Close what is idle now, and what is in use when it is given back."""

    # What does not

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def check_open(self) -> None:
        """Raise ``QueueClosed`` after ``close``."""
        if self._closed:
            raise QueueClosed("The storage was closed.")

    def run(self, command: Command) -> Any:
        """Run one command; see ``run_all``."""
        return self.run_all((command,))[0]

    def run_all(self, commands: Sequence[Command], *, confirmed: bool = False) -> list[Any]:
        """Send commands in one go and return what each answered; ``confirmed``, once replicas have confirmed them too.

        After trouble that may pass they are all sent again on a new connection, for ``retry_seconds``; each has to bear
        that. Raises the errors of ``faults.translate``, and ``NotReplicated``.
        """
        return self._persist(self._attempt, commands, self.confirmation if confirmed else None)

    def close(self, farewell: Sequence[Command]) -> None:
        """Send a farewell, then close what is idle now, and what is in use when it is given back."""
        self._closed = True
        if farewell:
            with suppress(ServerError, OSError):
                self._attempt(farewell)
        self._hang_up()

    def _persist(self, attempt: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        started = time.monotonic()
        failures = 0
        while True:
            self.check_open()
            try:
                return attempt(*args, **kwargs)
            except (ServerError, OSError) as error:
                passing = is_passing(error)
                if passing:
                    self.troubles += 1
                    self._doubt()
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
                failures += 1
                if not passing or time.monotonic() + pause - started >= self.retry_seconds:
                    raise translate(error, self.url) from error
            time.sleep(pause)


def first_info(pool: Pool, url: str) -> dict[str, str] | None:
    """What a server says of itself that may not be there; None where this user may not ask."""
    try:
        return parse_info(pool.first_answer((b"INFO",)))
    except (ServerError, OSError) as error:
        if code_of(error) == "NOPERM":
            return None
        raise translate(error, url) from error


def check_info(info: dict[str, str], url: str) -> None:
    """Raise ``StorageIncompatible`` where a server's version or settings cannot be used."""
    version = info.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_VERSION:
        raise StorageIncompatible(f"Redis at {url} is version {version}; 6.2 or later is needed")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise StorageIncompatible(
            f"Redis at {url} has maxmemory-policy {policy} and would drop tasks when memory is short. "
            "Set it to noeviction: CONFIG SET maxmemory-policy noeviction, and the same in redis.conf"
        )


def parse_info(text: bytes) -> dict[str, str]:
    """The fields of an answer to ``INFO``."""
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
