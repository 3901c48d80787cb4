"""The handlers for a first try."""

from __future__ import annotations

from typing import Any

import pytest

from distributed_queue.handlers import handlers


def test_simple_says_with_what_it_is_done() -> None:
    assert handlers["simple"]("Hello World") == "Completed: Hello World"


@pytest.mark.parametrize("data", [None, 1, "text", [1, 2], {"a": {"b": None}}])
def test_default_returns_what_it_got(data: Any) -> None:
    assert handlers["default"](data) == data


@pytest.mark.parametrize(
    ("operation", "a", "b", "result"),
    [
        ("add", 1, 2, 3),
        ("subtract", 1, 2.5, -1.5),
        ("multiply", 6, 7, 42),
        ("divide", 1, 4, 0.25),
    ],
)
def test_math_works_it_out(operation: str, a: float, b: float, result: float) -> None:
    assert handlers["math"]({"operation": operation, "a": a, "b": b}) == result


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"operation": "power", "a": 1, "b": 2},
            "'power' is not an operation; there are add, subtract, multiply, divide",
        ),
        ({"a": 1, "b": 2}, "None is not an operation"),
        ({"operation": ["add"], "a": 1, "b": 2}, r"\['add'\] is not an operation"),
        ({"operation": "add", "a": "1", "b": 2}, "a is '1'; it has to be a number"),
        ({"operation": "add", "a": 1}, "b is None; it has to be a number"),
        ({"operation": "add", "a": True, "b": 1}, "a is True; it has to be a number"),
        ({"operation": "divide", "a": 1, "b": 0}, "cannot divide 1 by zero"),
        ({"operation": "multiply", "a": 1e308, "b": 10}, "too large"),
        ("1 + 1", "needs an object with operation, a and b"),
    ],
)
def test_math_says_what_is_wrong(data: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError, ZeroDivisionError), match=message):
        handlers["math"](data)
