"""How much a request may send: counted while it arrives, whatever its headers say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from distributed_queue.api.problems import ApiProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Receive

ENVELOPE_BYTES = 16 << 10
"""What a request may have around its payload."""

_DRAIN_BYTES = 16 << 20
_DRAIN_SECONDS = 5.0


def announced_too_large(headers: Mapping[bytes, bytes], limit_bytes: int) -> ApiProblem | None:
    """The problem with a request that announces more than it may send."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit_bytes:
        return too_large(limit_bytes)
    return None


def counted(receive: Receive, limit_bytes: int) -> Receive:
    """``receive``, which raises a problem once the body is larger than it may be."""
    size = 0

    async def receive_counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit_bytes:
            if message.get("more_body"):
                await drain(receive)
            raise too_large(limit_bytes)
        return message

    return receive_counted


async def drain(receive: Receive) -> None:
    """Read what is left of a body that is refused, up to a bound.

    A connection that is closed while its client still sends is reset, and the client may never see the answer.
    """

    async def discard() -> None:
        size = 0
        while size <= _DRAIN_BYTES:
            message = await receive()
            size += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body"):
                return

    try:
        await asyncio.wait_for(discard(), _DRAIN_SECONDS)
    except asyncio.TimeoutError:
        return


def too_large(limit_bytes: int) -> ApiProblem:
    """The problem of a body over the limit."""
    return ApiProblem(
        "payload-too-large",
        f"The body is larger than {limit_bytes:,} bytes. Store large data elsewhere and pass a reference to it.",
        limit_bytes=limit_bytes,
    )
