"""Payloads: what may be in them, and their encoded form.

A *body* is what storages keep and never look into: MessagePack of ``[payload]``, or ``[payload, policies]`` where a
task has policies of its own. It is encoded once, when the task is enqueued, and passed on untouched.

Storages are not trusted: others may write there, and later versions will. What this version does not know makes a body
unreadable, and an unreadable task ends as a dead letter that keeps its body.
"""

from __future__ import annotations

import math
from binascii import b2a_base64
from typing import Annotated, Any

import msgspec

from distributed_queue.core.retry import MAX_DELAY_SECONDS, MAX_RETRIES_LIMIT, RetryPolicy
from distributed_queue.errors import InvalidResult, InvalidTask, PayloadTooLarge

MAX_BODY_BYTES = 1 << 20
"""Default limit of an encoded body or result: 1 MiB."""
MAX_DEPTH = 64
"""How deep arrays and objects may be nested."""
DEFAULT_TYPE = "default"
MAX_TYPE_LENGTH = 200

UNREADABLE = "unreadable"
"""Why a task is dead of which the stored body, or the record around it, cannot be read."""


def _refuse_extension(code: int, _: memoryview) -> Any:
    raise ValueError(f"an extension of MessagePack, {code}, is nothing that JSON has")


_encode = msgspec.msgpack.Encoder().encode
_decode_any = msgspec.msgpack.Decoder(ext_hook=_refuse_extension).decode
_MALFORMED = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)
"""What decoding raises for bytes that are no MessagePack, or nothing that is stored here."""
_SCALARS = frozenset({str, int, bool, type(None)})


class Policies(
    msgspec.Struct,
    omit_defaults=True,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"max_retries": "r", "timeout": "t", "headers": "h"},
):
    """What a task asks for beyond its payload, as stored."""

    max_retries: Annotated[int, msgspec.Meta(ge=0, le=MAX_RETRIES_LIMIT)] | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0, le=MAX_DELAY_SECONDS)] | None = None
    retry: RetryPolicy | None = None
    headers: dict[str, str] | None = None


class _Body(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    payload: Any
    policies: Policies | None = None


_decode_body = msgspec.msgpack.Decoder(_Body, ext_hook=_refuse_extension).decode
_NO_POLICIES = Policies()


def payload_type(payload: Any) -> str:
    """The handler type that a payload names: ``payload["type"]``, or ``"default"``."""
    if isinstance(payload, dict):
        named = payload.get("type")
        if isinstance(named, str) and named:
            return named
    return DEFAULT_TYPE


def handler_data(payload: Any) -> Any:
    """What the handler is called with.

    With a type: the payload's ``"data"``, or, where it has none, its other keys. Without: the whole payload.
    """
    return type_and_data(payload)[1]


def type_and_data(payload: Any) -> tuple[str, Any]:
    """``payload_type`` and ``handler_data`` in one."""
    if isinstance(payload, dict):
        named = payload.get("type")
        if isinstance(named, str) and named:
            if "data" in payload:
                return named, payload["data"]
            return named, {key: value for key, value in payload.items() if key != "type"}
    return DEFAULT_TYPE, payload


def encode_body(payload: Any, policies: Policies, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Encode a payload with its policies.

    Raises ``InvalidTask`` where the payload is not JSON-compatible and ``PayloadTooLarge`` over ``limit_bytes``.
    """
    problem = _incompatibility(payload)
    if problem:
        raise InvalidTask(f"The payload is not JSON-compatible: {problem}", field="payload")
    try:
        body = _encode((payload,) if policies == _NO_POLICIES else (payload, policies))
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidTask(f"The payload is not JSON-compatible: {_reason(error)}", field="payload") from error
    if len(body) > limit_bytes:
        raise PayloadTooLarge(len(body), limit_bytes)
    if len(payload_type(payload)) > MAX_TYPE_LENGTH:
        raise InvalidTask(f'payload["type"] is longer than {MAX_TYPE_LENGTH} characters', field="payload.type")
    return body


def decode_body(body: bytes) -> tuple[Any, Policies]:
    """The payload and policies of a stored body. Raises ``InvalidTask`` where the bytes are not a body."""
    try:
        decoded = _decode_body(body)
    except _MALFORMED as error:
        raise InvalidTask(f"The stored body cannot be read: {error}", field="body") from error
    return decoded.payload, decoded.policies or _NO_POLICIES


def encode_result(value: Any, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Encode what a handler returned. Raises ``InvalidResult`` where it cannot be stored."""
    problem = _incompatibility(value)
    if problem:
        raise InvalidResult(f"The handler's result is not JSON-compatible: {problem}")
    try:
        encoded = _encode(value)
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidResult(f"The handler's result is not JSON-compatible: {_reason(error)}") from error
    if len(encoded) > limit_bytes:
        raise InvalidResult(f"The handler's result is {len(encoded):,} bytes encoded; the limit is {limit_bytes:,}.")
    return encoded


def shown_body(body: bytes) -> tuple[Any, Policies]:
    """As ``decode_body``, for looking at. Of a body that cannot be read, or not be shown as JSON, see ``in_base64``."""
    try:
        payload, policies = decode_body(body)
    except InvalidTask:
        return in_base64(body), _NO_POLICIES
    return (in_base64(body) if _incompatibility(payload) else payload), policies


def shown_value(encoded: bytes | None) -> Any:
    """The value of an encoded result or progress, if there is one. Of what is neither, see ``in_base64``."""
    if encoded is None:
        return None
    try:
        value = _decode_any(encoded)
    except _MALFORMED:
        return in_base64(encoded)
    return in_base64(encoded) if _incompatibility(value) else value


def in_base64(stored: bytes) -> dict[str, str]:
    """How bytes that nobody understands are shown: ``{"base64": "…"}``."""
    return {"base64": b2a_base64(stored, newline=False).decode()}


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a string has a lone surrogate, which no encoding of text can carry"
    return "an integer is outside -2^63 to 2^64-1"


def _incompatibility(value: Any) -> str | None:
    """Why a value is not JSON-compatible, or None. Walks without recursion, so depth cannot exhaust the stack."""
    if type(value) in _SCALARS:
        return None
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if depth > MAX_DEPTH:
            return f"it is nested deeper than {MAX_DEPTH} levels"
        if isinstance(item, dict):
            for key, each in item.items():
                if type(key) is not str:
                    return f"the key {key!r:.50} is a {type(key).__name__}; keys are strings"
                if type(each) not in _SCALARS:
                    stack.append((each, depth + 1))
        elif isinstance(item, (list, tuple)):
            stack += [(each, depth + 1) for each in item if type(each) not in _SCALARS]
        else:
            problem = _leaf_problem(item)
            if problem:
                return problem
    return None


def _leaf_problem(value: Any) -> str | None:
    """Why a value that is no container, nor one of the plain scalars, is not JSON-compatible."""
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is not a JSON number"
    kind = type(value)
    return f"a value is a {kind.__module__}.{kind.__qualname__}".replace("builtins.", "")
