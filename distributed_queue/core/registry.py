"""Which engine serves which URL scheme. Engines are imported when they are asked for, never by name elsewhere."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from distributed_queue.core.durability import read_demand
from distributed_queue.errors import InvalidStorageURL, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.clock import Clock
    from distributed_queue.core.durability import Durability
    from distributed_queue.core.storage import Storage

ENGINES: dict[str, tuple[str, str]] = {
    "memory": ("distributed_queue.storage.memory:MemoryStorage", ""),
    "sqlite": ("distributed_queue.storage.sqlite:SQLiteStorage", "sqlite"),
    "redis": ("distributed_queue.storage.redis:RedisStorage", "redis"),
    "rediss": ("distributed_queue.storage.redis:RedisStorage", "redis"),
    "redis+sentinel": ("distributed_queue.storage.redis:RedisStorage", "redis"),
    "rediss+sentinel": ("distributed_queue.storage.redis:RedisStorage", "redis"),
    "redis+cluster": ("distributed_queue.storage.redis:RedisStorage", "redis"),
    "rediss+cluster": ("distributed_queue.storage.redis:RedisStorage", "redis"),
}
"""Scheme to ``(module:Class, extra)``. The class has ``from_url(url, clock) -> Storage``."""


_SECRET_PARAMETER = re.compile(r"([?&#][^=&?#]*(?:password|secret|token)[^=&?#]*)=[^&]*", re.IGNORECASE)
_LOGIN = re.compile(r"(//[^/?#@:\[]*):(?![0-9]{1,5}(?:[,/?#]|$)).*@", re.DOTALL)
"""Up to the last ``@``: a password with a character that has to be escaped, and is not, must not be shown either."""


def open_storage(url: str, clock: Clock | None = None, durability: Durability | str | None = None) -> Storage:
    """Open the storage at ``url``, which may demand a durability profile, as the argument may: ``?durability=durable``.

    Raises ``InvalidStorageURL`` (a scheme that no engine serves, a malformed URL), ``MissingDependency`` (the engine's
    package is not installed), ``StorageUnavailable`` (nothing answers there) or ``StorageIncompatible`` (it cannot be
    used as it is, or cannot give what is demanded).
    """
    url, demand = read_demand(url, durability)
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in ENGINES:
        known = ", ".join(f"{name}://" for name in ENGINES)
        raise InvalidStorageURL(f"{without_password(url)!r} is not a storage URL. It begins with one of: {known}")
    target, extra = ENGINES[scheme]
    module_name, _, class_name = target.partition(":")
    try:
        engine = getattr(import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("distributed_queue"):
            raise
        raise MissingDependency(f"{scheme}://", extra) from error
    factory = cast("Callable[[str, Clock | None], Storage]", engine.from_url)
    storage = factory(url, clock)
    if demand is not None:
        try:
            storage.demand(demand)
        except BaseException:
            storage.close()
            raise
    return storage


def without_password(url: str) -> str:
    """The URL as it may be shown: its password and query values that look like secrets are masked. It may be no URL."""
    try:
        urlsplit(url)
    except ValueError:
        return url.partition("://")[0] + "://…"
    return _LOGIN.sub(r"\1:***@", _SECRET_PARAMETER.sub(r"\1=***", url))
