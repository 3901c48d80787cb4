"""The file with the endpoints: JSON that ``dq webhooks`` writes, and that servers read again whenever it changes."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.files import WatchedFile, locked, read_closed, replace
from distributed_queue.errors import ConfigurationError
from distributed_queue.webhooks.endpoints import Endpoint
from distributed_queue.webhooks.signing import secret_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

_WHAT = "webhooks file"


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    endpoints: list[Endpoint]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Content).decode


def read_endpoints(path: Path) -> list[Endpoint]:
    """The endpoints of a file; none where there is no file yet.

    Raises ``ConfigurationError`` where it is damaged, or others may write to it.
    """
    try:
        content = _decode(read_closed(path, _WHAT))
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The error's own text may show what the file has.
        raise ConfigurationError(f"The {_WHAT} {path} is damaged; only dq webhooks should write it") from error
    if content.version != 1:
        raise ConfigurationError(f"The {_WHAT} {path} has version {content.version}; this program reads version 1")
    for endpoint in content.endpoints:
        for secret in endpoint.secrets:
            secret_bytes(secret.text)
    return content.endpoints


@contextmanager
def changing_endpoints(path: Path) -> Iterator[list[Endpoint]]:
    """The endpoints of a file, to change in the block; they are written after it, in one step. Others wait meanwhile.

    A file that does not exist is made. Raises as ``read_endpoints`` does.
    """
    path = path.resolve()
    with locked(path):
        endpoints = read_endpoints(path)
        yield endpoints
        replace(path, msgspec.json.format(_encode(_Content(1, endpoints)), indent=2) + b"\n", _WHAT)


class EndpointFile(WatchedFile[Endpoint]):
    """The endpoints of a file as they are now."""

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(path, "webhooks", read_endpoints, monotonic)

    def find(self, identifier: str) -> Endpoint | None:
        """The endpoint with an id."""
        return self.records().get(identifier)

    def enabled(self) -> list[Endpoint]:
        """Those that are told of events."""
        return [endpoint for endpoint in self.records().values() if endpoint.enabled]

    def enabled_ids(self) -> list[str]:
        """The ids of those."""
        return [endpoint.id for endpoint in self.enabled()]

    def disable(self, identifier: str, now: float, reason: str) -> None:
        """Tell an endpoint nothing more: here, and in the file if it can be written."""
        self.change_here(identifier, lambda endpoint: _disabled(endpoint, now, reason))
        try:
            with changing_endpoints(self.path) as known:
                known[:] = [_disabled(each, now, reason) if each.id == identifier else each for each in known]
        except ConfigurationError as error:
            logger.error("a webhook is disabled in this process only: %s", error)  # noqa: TRY400 - it says all there is


def _disabled(endpoint: Endpoint, now: float, reason: str) -> Endpoint:
    return msgspec.structs.replace(endpoint, disabled_at=now, disabled_because=reason)
