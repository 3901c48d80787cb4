"""Submitting once: an id that the client chooses, or that its key determines, makes a repeated request harmless."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.api.problems import ApiProblem, fault
from distributed_queue.core.lifecycle import TaskStatus

if TYPE_CHECKING:
    from distributed_queue.core.task import Task

HEADER = "Idempotency-Key"

PATTERN = r"^(?:[!#-~](?:[ -~]{0,253}[!-~])?|\"[!-~](?:[ -~]{0,253}[!-~])?\")$"
"""What the header may hold: printable ASCII without a blank at its ends, in quotes or not beginning with one."""
MAX_CHARACTERS = 257
"""Of the header, quotes included."""

_KEY = re.compile(PATTERN)
_SAME_SECONDS = 0.002
"""Storages keep whole milliseconds."""

_canonical = msgspec.json.Encoder(order="sorted").encode


def read_key(given: str | None) -> str | None:
    """The key of a request, or None. It is a quoted string by the draft standard; without quotes it is taken too."""
    if given is None:
        return None
    key = given.strip(" \t")
    if not _KEY.fullmatch(key):
        words = "is 1 to 255 printable ASCII characters without a blank at either end, in quotes or beginning with none"
        raise ApiProblem(
            "invalid-request", f"{HEADER} {words}.", errors=[fault(("header", HEADER), words, "idempotency-key")]
        )
    if key[0] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return key


def derived_id(method: str, path: str, key: str, number: int = 0) -> str:
    """The id of the task, or of the ``number``-th one of a batch, that this key stands for."""
    digest = hashlib.sha256(f"{method} {path} {number}\n{key}".encode()).hexdigest()
    return f"idem-{digest[:48]}"


def same_content(stored: Task, wanted: Task) -> bool:
    """Whether a stored task is what another submission asks for.

    A delay is not compared, since it is not kept; nor is ``execute_after`` once the task went on from it.
    """
    fields = ("queue", "priority", "max_retries", "timeout", "retry")
    return (
        all(getattr(stored, field) == getattr(wanted, field) for field in fields)
        and _canonical(stored.payload) == _canonical(wanted.payload)
        and _same_time(stored.expires_at, wanted.expires_at)
        and (
            wanted.execute_after is None
            or stored.status is not TaskStatus.SCHEDULED
            or wanted.delay is not None
            or _same_time(stored.execute_after, wanted.execute_after)
        )
    )


def _same_time(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) < _SAME_SECONDS
