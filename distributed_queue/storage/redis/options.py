"""Options in the query of a URL, read as what they stand for, or refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OFF = frozenset({"0", "f", "false", "n", "no"})


def read_seconds(options: Mapping[str, str], name: str, default: float) -> float:
    """A time-out. Raises ``ValueError``."""
    text = options.get(name)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name}={text}: it is a number of seconds above 0")
    return seconds


def read_number(options: Mapping[str, str], name: str, default: int) -> int:
    """A whole number from 0. Raises ``ValueError``."""
    text = options.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name}={text}: it is a number from 0")
    return int(text)


def read_switch(options: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Whether something is on: with any value but ``0``, ``f``, ``false``, ``n`` and ``no``."""
    text = options.get(name)
    return default if text is None else text.lower() not in _OFF
