"""Settings of a queue that something else wrote: what cannot be read has its default, and is told of."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.records import QueueConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


def read_config(found: Mapping[str, object], *, texts: bool = False) -> QueueConfig:
    """The settings among ``found``, which are ``texts`` where the storage keeps them so. Unknown names are passed over.

    A queue whose limit was damaged goes on without it rather than not at all. Nothing is written: the bad value stays
    until the setting is set anew.
    """
    try:
        return msgspec.convert(found, QueueConfig, strict=not texts)
    except msgspec.ValidationError:
        return msgspec.convert(_readable(found, strict=not texts), QueueConfig, strict=not texts)


def _readable(found: Mapping[str, object], *, strict: bool) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, value in found.items():
        try:
            msgspec.convert({name: value}, QueueConfig, strict=strict)
        except msgspec.ValidationError as error:
            tell_unreadable(name, f"{value!r:.100}", str(error))
        else:
            kept[name] = value
    return kept


@lru_cache(maxsize=1024)
def tell_unreadable(what: str, value: str, reason: str) -> None:
    """Log it, once for each value."""
    logger.error(
        "unreadable: the setting %s of a queue is %s (%s); its default holds until it is set anew", what, value, reason
    )
