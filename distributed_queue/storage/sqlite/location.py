"""Where the file is: reading a ``sqlite://`` URL."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from distributed_queue.errors import InvalidStorageURL

SYNCHRONOUS = ("full", "normal")
"""The values of the option of that name."""


class Location(NamedTuple):
    """A file, and how safely to write to it."""

    url: str
    path: str
    """Absolute, links resolved: what names the file within the process."""
    synchronous: str = "full"


def parse_url(url: str) -> Location:
    """Read ``sqlite:///relative.db``, ``sqlite:////absolute.db``, with ``?synchronous=full`` (default) or ``normal``.

    Raises ``InvalidStorageURL``.
    """
    try:
        parts = urlsplit(url)
        url.encode()
    except ValueError as error:
        raise InvalidStorageURL(f"{url!r:.200} is not the URL of an SQLite file: {error}") from error
    if parts.scheme != "sqlite" or parts.netloc or not parts.path.startswith("/") or parts.fragment:
        raise InvalidStorageURL(
            f"{url!r:.200} is not the URL of an SQLite file: it is sqlite:///relative.db or sqlite:////absolute.db"
        )
    path = unquote(parts.path[1:])
    if not path or path.endswith("/") or path == ":memory:" or "\0" in path:
        raise InvalidStorageURL(
            f"{url!r:.200} names no file. Use sqlite:///relative.db or sqlite:////absolute.db, "
            "or memory:// for a queue that nothing has to survive."
        )
    return Location(url, os.path.realpath(path), _synchronous(url, parts.query))


def _synchronous(url: str, query: str) -> str:
    options = dict(parse_qsl(query, keep_blank_values=True))
    value = options.pop("synchronous", "full").lower()
    if options:
        raise InvalidStorageURL(
            f"{url!r:.200} has an option {min(options)!r:.50} that this engine does not know. It knows: synchronous"
        )
    if value not in SYNCHRONOUS:
        known = ", ".join(SYNCHRONOUS)
        raise InvalidStorageURL(f"{url!r:.200}: synchronous is {value!r:.50}; it is one of: {known}")
    return value
