from __future__ import annotations

import contextlib
import datetime as dt
import enum
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.core.payload import (
    MAX_BODY_BYTES,
    MAX_DEPTH,
    MAX_TYPE_LENGTH,
    Policies,
    decode_body,
    encode_body,
    encode_result,
    handler_data,
    payload_type,
    shown_value,
)
from distributed_queue.core.retry import Backoff, RetryPolicy
from distributed_queue.errors import InvalidResult, InvalidTask, PayloadTooLarge

PLAIN = Policies()
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
payloads = st.recursive(
    scalars | text, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=20
)
policies = st.builds(
    Policies,
    max_retries=st.none() | st.integers(0, 100),
    timeout=st.none() | st.floats(0.001, 1e6),
    retry=st.none() | st.builds(RetryPolicy, backoff=st.just(Backoff.FIXED), base=st.floats(0, 100)),
)
Point = namedtuple("Point", "x y")  # noqa: PYI024  # the untyped kind is what users may have


class Colour(enum.IntEnum):
    RED = 1


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


@given(payloads, policies)
def test_a_body_gives_back_what_was_put_in(payload: Any, wanted: Policies) -> None:
    assert decode_body(encode_body(payload, wanted)) == (payload, wanted)


@given(payloads)
def test_a_result_gives_back_what_was_put_in(value: Any) -> None:
    assert shown_value(encode_result(value)) == value


@given(st.binary(max_size=60))
def test_bytes_that_are_no_body_are_refused_and_nothing_worse(body: bytes) -> None:
    with contextlib.suppress(InvalidTask):
        assert isinstance(decode_body(body)[1], Policies)


INCOMPATIBLE = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "nan inside": {"a": [1, {"b": float("nan")}]},
    "set": {1, 2},
    "bytes": b"raw",
    "object": object(),
    "datetime": dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),
    "enum": Colour.RED,
    "function": len,
    "number as key": {1: "a"},
    "none as key": {"a": {None: 1}},
    "surrogate": "\ud800",
    "surrogate as key": {"\udfff": 1},
    "surrogate inside": ["a", ["\ud800"]],
    "integer too large": 2**64,
    "integer too small": [-(2**63) - 1],
    "too deep": nested(MAX_DEPTH + 1),
    "far too deep": nested(100_000),
}


@pytest.mark.parametrize("value", INCOMPATIBLE.values(), ids=INCOMPATIBLE.keys())
def test_what_json_cannot_say_is_refused_with_a_reason(value: Any) -> None:
    with pytest.raises(InvalidTask, match=r"The payload is not JSON-compatible: .+") as caught:
        encode_body(value, PLAIN)
    assert caught.value.field == "payload"
    with pytest.raises(InvalidResult, match=r"The handler's result is not JSON-compatible: .+"):
        encode_result(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(InvalidTask, match="nested deeper"):
        encode_body(circle, PLAIN)


def test_the_deepest_nesting_that_is_allowed_can_be_read_again() -> None:
    assert decode_body(encode_body(nested(MAX_DEPTH), PLAIN))[0] == nested(MAX_DEPTH)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ((1, 2), [1, 2]),
        (Point(1, 2), [1, 2]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, {"a": [1]}), {"a": [1]}),
    ],
    ids=["tuple", "named tuple", "ordered dictionary", "default dictionary"],
)
def test_relatives_of_lists_and_dictionaries_are_stored_as_those(value: Any, stored: Any) -> None:
    assert decode_body(encode_body(value, PLAIN))[0] == stored
    assert shown_value(encode_result(value)) == stored


def test_a_body_over_the_limit_is_refused_with_its_size() -> None:
    encode_body("x" * 1000, PLAIN, 1100)
    with pytest.raises(PayloadTooLarge) as caught:
        encode_body("x" * 1000, PLAIN, 1000)
    assert (caught.value.size_bytes, caught.value.limit_bytes) == (1004, 1000)


def test_a_result_over_the_limit_is_refused() -> None:
    with pytest.raises(InvalidResult, match="1,048,576"):
        encode_result("x" * MAX_BODY_BYTES)


def test_a_type_that_is_too_long_is_refused() -> None:
    encode_body({"type": "t" * MAX_TYPE_LENGTH}, PLAIN)
    with pytest.raises(InvalidTask) as caught:
        encode_body({"type": "t" * (MAX_TYPE_LENGTH + 1)}, PLAIN)
    assert caught.value.field == "payload.type"


@pytest.mark.parametrize(
    ("payload", "task_type", "data"),
    [
        ({"type": "mail", "data": "x"}, "mail", "x"),
        ({"type": "mail", "data": None}, "mail", None),
        ({"type": "mail", "data": 1, "more": 2}, "mail", 1),
        ({"type": "mail", "to": "a", "cc": "b"}, "mail", {"to": "a", "cc": "b"}),
        ({"type": "mail"}, "mail", {}),
        ({"type": ""}, "default", {"type": ""}),
        ({"type": 7, "data": 1}, "default", {"type": 7, "data": 1}),
        ({"data": 1}, "default", {"data": 1}),
        ("text", "default", "text"),
        ([1, 2], "default", [1, 2]),
        (None, "default", None),
    ],
)
def test_the_payload_names_the_type_and_the_data(payload: Any, task_type: str, data: Any) -> None:
    assert payload_type(payload) == task_type
    assert handler_data(payload) == data


def test_plain_policies_take_no_room() -> None:
    assert len(encode_body(None, PLAIN)) == 2
    assert len(encode_body(None, Policies(max_retries=5))) > 2
