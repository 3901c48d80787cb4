"""Handlers for a first try: ``simple``, ``default`` and ``math``.

The server has them; a worker loads them with ``dq worker distributed_queue.handlers``.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}


def simple(data: Any) -> str:
    """Say that it is done, and with what."""
    return f"Completed: {data}"


def default(data: Any) -> Any:
    """Return the data that came: for tasks whose payload names no type, the whole payload."""
    return data


def calculate(data: Any) -> int | float:
    """Work out ``{"operation": "add"|"subtract"|"multiply"|"divide", "a": …, "b": …}``.

    Raises ``TypeError``, ``ValueError`` or ``ZeroDivisionError``, which say what is wrong.
    """
    if not isinstance(data, dict):
        raise TypeError(f"math needs an object with operation, a and b, not {data!r:.100}")
    name = data.get("operation")
    operation = OPERATIONS.get(name) if isinstance(name, str) else None
    if operation is None:
        raise ValueError(f"{name!r:.100} is not an operation; there are {', '.join(OPERATIONS)}")
    a, b = (_number(data, key) for key in ("a", "b"))
    if name == "divide" and b == 0:
        raise ZeroDivisionError(f"cannot divide {a} by zero")
    try:
        result = operation(a, b)
    except OverflowError:
        result = math.inf
    if math.isinf(result):
        raise ValueError(f"the result of {name} with {a} and {b} is too large")
    return int(result) if isinstance(result, int) else float(result)


def _number(data: dict[str, Any], key: str) -> int | float:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{key} is {value!r:.100}; it has to be a number")
    return value


handlers: dict[str, Callable[[Any], Any]] = {"simple": simple, "default": default, "math": calculate}
