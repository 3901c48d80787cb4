"""The file with the scoped keys: JSON that ``dq keys`` writes, and that servers read again whenever it changes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.api.auth.keys import KeyRecord
from distributed_queue.core.files import WatchedFile, locked, read_closed, replace
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_WHAT = "key file"


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    keys: list[KeyRecord]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Content).decode


def read_keys(path: Path) -> list[KeyRecord]:
    """The keys of a file. Raises ``ConfigurationError`` where it is missing, damaged, or others may write to it."""
    try:
        content = _decode(read_closed(path, _WHAT))
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no key file {path}. Make its first key: dq keys create --name NAME --role ROLE"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The error's own text may show what the file has.
        raise ConfigurationError(f"The key file {path} is damaged; dq keys writes it, nothing else should") from error
    if content.version != 1:
        raise ConfigurationError(f"The key file {path} has version {content.version}; this program reads version 1")
    return content.keys


@contextmanager
def changing_keys(path: Path) -> Iterator[list[KeyRecord]]:
    """The keys of a file, to change in the block; they are written after it, in one step. Others wait meanwhile.

    A file that does not exist is made. Raises as ``read_keys`` does.
    """
    path = path.resolve()
    with locked(path):
        keys = read_keys(path) if path.exists() else []
        yield keys
        replace(path, msgspec.json.format(_encode(_Content(1, keys)), indent=2) + b"\n", _WHAT)


class KeyFile(WatchedFile[KeyRecord]):
    """The keys of a file as they are now."""

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(path, "API keys", read_keys, monotonic)

    def find(self, identifier: str) -> KeyRecord | None:
        """The key with an id."""
        return self.records().get(identifier)

    def all(self) -> list[KeyRecord]:
        """All of them, also those that count no more."""
        return list(self.records().values())
