"""Decides on each request, before it is routed and before its body is read: who sends it, and whether they may."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.api.auth.failures import Failures
from distributed_queue.api.auth.keyfile import KeyFile
from distributed_queue.api.auth.keys import digest, key_id
from distributed_queue.api.auth.roles import Role, grants
from distributed_queue.api.problems import ApiProblem, retry_after
from distributed_queue.core.clock import SystemClock
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from distributed_queue.api.auth.keys import KeyRecord
    from distributed_queue.api.options import ApiOptions

logger = logging.getLogger(__name__)

HEADER = "X-API-Key"
CALLER = "distributedq.caller"
"""Where the ASGI scope has the ``Caller``."""
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

_KEY = HEADER.lower().encode()
_AUTHORIZATION = b"authorization"
_BEARER = b"bearer "
_SITE = b"sec-fetch-site"
_OWN_SITES = frozenset({b"same-origin", b"none"})
_NOBODYS = digest(b"")
"""Compared with where there is no key to compare with, so that it takes as long."""
_PORT = re.compile(rb":\d*$")
_OTHER_NAME = (
    "This server has no API key, so it answers to localhost and to plain addresses only: a page of another site could "
    "let its own name lead here. Set a key, or start the server with --insecure."
)
_now = SystemClock().now
_HOW = f"Send it as the header {HEADER}, or as Authorization: Bearer."


class Caller(NamedTuple):
    """Who sends a request."""

    name: str
    roles: tuple[Role, ...]
    key_id: str | None = None


class Asked(NamedTuple):
    """What the guard looks at."""

    method: str
    role: Role | None
    """What the request needs; None where everyone may."""
    headers: Mapping[bytes, bytes]
    address: str


ANONYMOUS = Caller("anonymous", ())
_ONLY_KEY = Caller("API_KEY", (Role.ADMIN,))


class Guard:
    """Knows the keys. For use by one thread."""

    def __init__(
        self,
        options: ApiOptions,
        now: Callable[[], float] = _now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._digest = None if options.api_key is None else digest(options.api_key.encode())
        self._file = None if options.keys_file is None else KeyFile(options.keys_file, monotonic)
        self._closed_reads = options.require_key_for_reads
        self._own_names_only = options.own_names_only
        self._failures = Failures(options.max_failed_keys)
        self._used: dict[str, float] = {}
        """When each scoped key last opened this server, seconds since the epoch."""
        self._now = now
        self._monotonic = monotonic
        if self._closed_reads and not self._has_keys:
            raise ConfigurationError("Reading is to need a key, but there is none: set an API key or a key file.")

    def identify(self, asked: Asked) -> Caller | ApiProblem:
        """Who sends the request, or what is wrong with its key. Nobody is asked for a key where none is needed."""
        if not self._needs_key(asked):
            return ANONYMOUS
        key = _given(asked.headers)
        if key is None:
            return _unauthorized(f"This needs an API key. {_HOW}")
        now = self._monotonic()
        wait = self._failures.wait_seconds(asked.address, now)
        identifier = key_id(key)
        # A key with 256 random bits cannot be guessed, so nobody who has one is held up by those who try.
        if not wait or identifier is not None:
            caller = self._look_up(key, identifier)
            if caller is not None:
                self._failures.succeeded(asked.address, now)
                return caller
            self._failures.failed(asked.address, now)
        if wait:
            return ApiProblem(
                "too-many-failures", "Too many wrong API keys came from this address. Try later.", **retry_after(wait)
            )
        logger.warning("a wrong API key came from %s", asked.address)
        return _unauthorized(f"The API key is not accepted: it is wrong, or no longer valid. {_HOW}")

    def forbid(self, caller: Caller, asked: Asked) -> ApiProblem | None:
        """The problem with what is asked by a caller who was identified, or None if it may go on."""
        if self._own_names_only and not _is_own_name(asked.headers.get(b"host", b"")):
            return ApiProblem("cross-site", _OTHER_NAME)
        if asked.role is not None and self._needs_key(asked) and not grants(caller.roles, asked.role):
            held = ", ".join(caller.roles)
            detail = f"This needs a key with the role {asked.role}; yours has {held}."
            return ApiProblem("forbidden", detail, required_role=asked.role)
        # A page that someone merely visits must not steer a queue on the same machine. Programs send no such header.
        if asked.method not in READING_METHODS and asked.headers.get(_SITE, b"none") not in _OWN_SITES:
            return ApiProblem("cross-site", "Requests that change something are not taken from pages of other sites.")
        return None

    def still_knows(self, caller: Caller) -> bool:
        """Whether the key of an earlier request is valid still."""
        if caller.key_id is None:
            return True
        record = self._file.find(caller.key_id) if self._file is not None else None
        return record is not None and record.state(self._now()) == "active"

    def scoped_keys(self) -> list[tuple[KeyRecord, float | None]]:
        """The keys of the file, those that count no more too, and when each was last used here; None for not yet."""
        records = self._file.all() if self._file is not None else []
        return [(record, self._used.get(record.id)) for record in records]

    @property
    def _has_keys(self) -> bool:
        return self._digest is not None or self._file is not None

    def _needs_key(self, asked: Asked) -> bool:
        if asked.role is None or not self._has_keys:
            return False
        return asked.method not in READING_METHODS or asked.role is not Role.READ or self._closed_reads

    def _look_up(self, key: bytes, identifier: str | None) -> Caller | None:
        """Whose key it is. Takes the same steps whether or not there is such a key."""
        given = digest(key)
        record = None if self._file is None or identifier is None else self._file.find(identifier)
        is_scoped = hmac.compare_digest(given, _NOBODYS if record is None else bytes.fromhex(record.sha256))
        is_only = hmac.compare_digest(given, self._digest or _NOBODYS)
        if is_only and self._digest is not None:
            return _ONLY_KEY
        if not is_scoped or record is None:
            return None
        state = record.state(self._now())
        if state != "active":
            logger.warning("a request came with the API key %s (%s), which is %s", record.name, record.id, state)
            return None
        self._used[record.id] = self._now()
        return Caller(record.name, record.roles, record.id)


def _given(headers: Mapping[bytes, bytes]) -> bytes | None:
    key = headers.get(_KEY)
    if key is None:
        value = headers.get(_AUTHORIZATION, b"")
        if value[: len(_BEARER)].lower() != _BEARER:
            return None
        key = value[len(_BEARER) :].strip()
    return key or None


def _is_own_name(host: bytes) -> bool:
    """Whether no other site can have given this name to this machine. Programs of old send none."""
    name = _PORT.sub(b"", host).decode("latin-1").lower().rstrip(".")
    if not name or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _unauthorized(detail: str) -> ApiProblem:
    return ApiProblem(
        "unauthorized", detail, headers={"WWW-Authenticate": f'ApiKey header="{HEADER}", Bearer realm="distributedq"'}
    )
