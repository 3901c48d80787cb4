"""Checks of the options that programs hand in."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from distributed_queue.core.storage import check_queue_name
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

E = TypeVar("E", bound=Enum)
HEAVIEST = 1000
_APART = "dq.webhooks"


def is_apart(queue: str) -> bool:
    """Whether a queue is the library's own: only who names it takes from it, not who takes from all there are."""
    return queue.startswith(_APART)


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


def split_weights(texts: Sequence[str]) -> tuple[tuple[str, ...], dict[str, int] | None]:
    """Queues as people write them, ``mail:3``: their names, and the weights of those that have one, None if none has.

    Raises ``ConfigurationError``.
    """
    names, weights = [], {}
    for text in texts:
        name, colon, weight = text.partition(":")
        names.append(name)
        if colon:
            number = int(weight) if weight.isdecimal() else weight
            weights[name] = check_count(f"the weight of queue {name!r:.120}", number, 1, HEAVIEST)
    return tuple(names), weights or None


def check_weights(weights: Mapping[str, int], queues: Sequence[str] | None) -> dict[str, int]:
    """Return the weights, or raise ``ConfigurationError`` where one is out of range or of no queue."""
    for name, weight in weights.items():
        check_count(f"queue_weights[{name!r:.120}]", weight, 1, HEAVIEST)
        if queues is None or name not in queues:
            raise ConfigurationError(f"queue_weights has {name!r:.120}, which is not among the queues")
    return dict(weights)
