"""Checks of the options that programs hand in."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from distributed_queue.core.storage import check_queue_name
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

E = TypeVar("E", bound=Enum)


def check_number(name: str, value: Any, lowest: float, highest: float) -> float:
    """Return the number, or raise ``ConfigurationError`` where it is none or out of range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise ConfigurationError(f"{name} is {value!r:.50}; it is a number from {lowest:g} to {highest:,.0f}")
    return value


def check_count(name: str, value: Any, lowest: int, highest: int) -> int:
    """Return the whole number, or raise ``ConfigurationError`` where it is none or out of range."""
    if type(value) is not int or not lowest <= value <= highest:
        raise ConfigurationError(f"{name} is {value!r:.50}; it is a whole number from {lowest:,} to {highest:,}")
    return value


def check_word(name: str, value: Any, words: type[E]) -> E:
    """The member that a text names, or raise ``ConfigurationError``."""
    try:
        return words(value)
    except ValueError:
        known = ", ".join(str(word) for word in words)
        raise ConfigurationError(f"{name} is {value!r:.50}; it is one of {known}") from None


def check_queue_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of one queue or more, or raise ``ConfigurationError`` or ``InvalidQueueName``."""
    if isinstance(names, str) or not names:
        raise ConfigurationError(f"queues is {names!r:.120}; it is a list of names, at least one, or None for all")
    return tuple(check_queue_name(name) for name in names)
