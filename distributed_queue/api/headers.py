"""Headers that every answer has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from distributed_queue.core.ids import new_task_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_INCOMING = b"x-request-id"
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MOST_STATE = 512
"""Characters of a ``tracestate`` that have to be passed on."""

_STANDARD = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""What an endpoint may choose for itself: a page needs a policy that lets it load its parts."""


def request_id(headers: Mapping[bytes, bytes]) -> str:
    """The id that the client gave the request, if it is a harmless one, or a new one."""
    given = headers.get(_INCOMING)
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return new_task_id()


def trace_context(request: Request) -> dict[str, str] | None:
    """What goes with a task so that its run can link to the request's trace (W3C Trace Context); None without one."""
    parent = request.headers.get("traceparent")
    if parent is None or not _TRACE_PARENT.fullmatch(parent):
        return None
    state = request.headers.get("tracestate", "")
    return {"traceparent": parent, "tracestate": state} if 0 < len(state) <= _MOST_STATE else {"traceparent": parent}


def complete(headers: list[tuple[bytes, bytes]], identifier: str) -> list[tuple[bytes, bytes]]:
    """An answer's headers with those that every answer has."""
    present = {name for name, _ in headers}
    missing = [header for header in _STANDARD if header[0] not in present]
    return [*headers, *missing, (b"x-request-id", identifier.encode())]
