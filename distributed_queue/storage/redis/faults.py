"""What a driver's or server's error means to users: the engine's edge.

A server reports trouble with a code word, which stands in front of the message, or inside it where a script met the
trouble (``… -OOM command not allowed …``, in Redis 6.2).
"""

from __future__ import annotations

import re

from distributed_queue.errors import (
    StorageError,
    StorageFull,
    StorageIncompatible,
    StorageRefused,
    StorageUnavailable,
)
from distributed_queue.storage.redis.replies import ServerError

_CODES = re.compile(
    r"\b(OOM|MISCONF|READONLY|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|UNBLOCKED"
    r"|NOAUTH|WRONGPASS|NOPERM|CROSSSLOT|MOVED|ASK|STALE|LAYOUT \d+)\b"
)
_PASSING = frozenset(
    {
        "READONLY",
        "LOADING",
        "BUSY",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "TRYAGAIN",
        "NOREPLICAS",
        "UNBLOCKED",
        "STALE",
        "CROWDED",
    }
)
"""Trouble that may be over soon; the connection is dropped, for the server may have changed its role."""
_SAID_OTHERWISE = {
    "max number of clients reached": "CROWDED",
    "AUTH <password> called without any password configured": "NOAUTH",
}
"""Messages without a code word of their own."""
_PASSING_WORDS = {
    "READONLY": "it is a read-only replica now",
    "LOADING": "it is loading its data",
    "BUSY": "it is busy running a script",
}


def code_of(error: Exception) -> str:
    """The code word of an error, or an empty text."""
    if not isinstance(error, ServerError):
        return ""
    found = _CODES.search(error.line)
    if found:
        return found[1]
    return next((code for said, code in _SAID_OTHERWISE.items() if said in error.line), "")


def is_passing(error: Exception) -> bool:
    """Whether the same command may succeed shortly, on a new connection."""
    return isinstance(error, OSError) or code_of(error) in _PASSING


def translate(error: Exception, url: str) -> StorageError:  # noqa: PLR0911 - a table in all but name
    """The error that users see."""
    code = code_of(error)
    if code in _PASSING:
        return StorageUnavailable(url, f"{_PASSING_WORDS[code]} ({error})" if code in _PASSING_WORDS else str(error))
    if code in ("OOM", "MISCONF"):
        return StorageFull(f"Redis at {url} has no room left and takes no writes: {error}")
    if code in ("NOAUTH", "WRONGPASS"):
        return StorageRefused(
            f"Redis at {url} refuses this client: {str(error).rstrip('.')}. "
            "Give user and password in the URL: redis://user:password@host"
        )
    if code == "NOPERM":
        return StorageRefused(
            f"Redis at {url} does not permit this user what is needed: {error}. Grant: ~dq:* +@all -@admin +info"
        )
    if code in ("CROSSSLOT", "MOVED", "ASK"):
        return StorageIncompatible(f"Redis at {url} is a Cluster: name it as redis+cluster://host:port ({error})")
    if code.startswith("LAYOUT"):
        return StorageIncompatible(
            f"A queue in Redis at {url} has layout {code.partition(' ')[2]}, made by a newer DistributedQ: "
            "upgrade this one, or use another database"
        )
    if isinstance(error, OSError):
        return StorageUnavailable(url, str(error))
    return StorageError(f"Redis at {url} answered with an error: {error}")
