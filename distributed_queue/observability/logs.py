"""What log records gain and lose on their way out: the running task, secrets, repetitions.

Filters of the standard library's ``logging``, for any handler, and processors for structlog, which need not be there.
They take no lock: an interruption may be raised at any bytecode of a handler's thread, which would then keep it.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from distributed_queue.core.worker.context import running_attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

HIDDEN = "[hidden]"
REPEATS_SECONDS = 10.0
MOST_REPEATS = 20
"""So many warnings and errors of one kind pass within ``REPEATS_SECONDS``."""
_NO_TEXT = frozenset({"exc_info", "_record", "_from_structlog"})
"""What structlog's later processors still need as it is."""
_MOST_KINDS = 1000
_SHORTEST_SECRET = 6
"""Shorter ones would hide parts of words."""

_NAMES = r"pass(?:word|wd|phrase)?|secret|token|api[_-]?key|authorization|cookie|credentials?|private[_-]?key|dsn"
_NAMED = re.compile(
    rf"""(?ix) ( (?: \b | [_-] ) (?:{_NAMES}) ["']? \s* [=:] \s* ["']? (?: (?:bearer|basic) \s+ )? )
    ( [^\s"',;&}})]+ )"""
)
"""``password=…``, ``"api_key": "…"``, ``Authorization: Bearer …``."""
_STEMS = ("pass", "secret", "token", "key", "authorization", "cookie", "credential", "dsn")
"""One of them is in whatever ``_NAMED`` finds. Most lines have none, which takes a tenth of the time to see."""
_SECRET_NAME = re.compile(rf"(?i)(?:.*[_-])?(?:{_NAMES})")
_USERINFO = re.compile(r"(\w[\w+.-]*://[^\s/@:]*:)[^\s/@]+@")


class TaskContext(logging.Filter):
    """Tell each record of a handler which task it is about: ``task_id``, ``task``, ``queue`` and ``attempt``.

    Where OpenTelemetry is in use and a span is recorded, its ``trace_id`` and ``span_id`` too.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes."""
        record.__dict__.update(_task_fields())
        return True


def add_task(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001 - structlog's call
    """Do what ``TaskContext`` does, as a processor of structlog. What the call or a binding says itself stays."""
    for name, value in _task_fields().items():
        event.setdefault(name, value)
    return event


class Repetitions(logging.Filter):
    """Let a few warnings and errors of one kind pass, then none for a while; the next one says how many were left out.

    Of one kind are records of one logger with the same text before its arguments are filled in.
    """

    def __init__(
        self,
        most: int = MOST_REPEATS,
        seconds: float = REPEATS_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._most = most
        self._seconds = seconds
        self._monotonic = monotonic
        self._kinds: dict[tuple[str, int, str], list[float]] = {}
        """When each began, and how many there were since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes."""
        if record.levelno < logging.WARNING:
            return True
        kind = (record.name, record.levelno, event_of(record.msg) or str(record.msg))
        now = self._monotonic()
        seen = self._kinds.get(kind)
        if seen is None or now - seen[0] >= self._seconds:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds = {}
            self._kinds[kind] = [now, 1]
            hidden = 0 if seen is None else int(seen[1]) - self._most
            if hidden > 0:
                record.__dict__["repeated"] = hidden
            return True
        seen[1] += 1
        return seen[1] <= self._most


class Redaction:
    """Hides secrets in texts: known ones, passwords in URLs, and what stands behind a name such as ``token``."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({each for each in secrets if len(each) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """The text without them."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if "://" in text:
            text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
        folded = text.casefold()
        return _NAMED.sub(rf"\1{HIDDEN}", text) if any(stem in folded for stem in _STEMS) else text

    def value(self, value: Any, name: str = "") -> Any:
        """The value, and what is in it, without them."""
        if name and _SECRET_NAME.fullmatch(name):
            return HIDDEN
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(each, str(key)) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(each) for each in value]
        return value

    def processor(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG002 - structlog's call
        """The same, as a processor of structlog: behind what makes texts of exceptions, before the renderer."""
        for name, value in event.items():
            if name not in _NO_TEXT:
                event[name] = self.value(value, name)
        return event


def event_of(message: object) -> str | None:
    """What a record says whose message is a dictionary, as structlog hands them on; None of other messages."""
    return str(message["event"]) if isinstance(message, dict) and "event" in message else None


def passwords(*urls: str | None) -> list[str]:
    """The passwords in URLs, as they are written there and as they are."""
    found = [password for url in urls if url and (password := _password(url))]
    return [*found, *map(unquote, found)]


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def _task_fields() -> dict[str, Any]:
    attempt = running_attempt.get(None)
    if attempt is None:
        return {}
    claimed = attempt.claimed
    known = {"task_id": claimed.id, "task": attempt.task.type, "queue": claimed.queue, "attempt": claimed.attempt}
    return {**known, **_span()}


def _span() -> dict[str, str]:
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    span = trace.get_current_span().get_span_context()
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"} if span.is_valid else {}
