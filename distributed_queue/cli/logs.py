"""Log lines of ``serve`` and ``worker``: on stderr, as text for people or as JSON for collectors."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from distributed_queue.cli.text import visible
from distributed_queue.core.times import iso
from distributed_queue.observability.logs import Redaction, Repetitions, TaskContext, event_of, passwords

if TYPE_CHECKING:
    from logging import _SysExcInfoType as ExcInfo

    from distributed_queue.settings import Settings

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
"""Attributes that every record has; what else is there was given with ``extra``."""
_OF_STRUCTLOG = frozenset({"_logger", "_name", "_record", "_from_structlog", "exc_info"})
"""What structlog adds for its own formatter."""
_TOLD_ANYWAY = frozenset({"event", "timestamp", "level", "logger"})

_SHOWN = ("task_id", "attempt", "trace_id", "repeated")
"""What text shows of what filters added."""


class TextFormatter(logging.Formatter):
    """``12:30:59 INFO    worker: text``. Control characters in messages are written out, secrets are hidden."""

    def __init__(self, redaction: Redaction | None = None) -> None:
        super().__init__()
        self._redaction = redaction or Redaction()

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback below it."""
        name = record.name.removeprefix("distributed_queue.")
        time = self.formatTime(record, "%H:%M:%S")
        known = "".join(f" {name}={value}" for name in _SHOWN if (value := getattr(record, name, None)) is not None)
        said = _said(record)
        given = "".join(f" {name}={value!r}" for name, value in said.values.items() if name not in _SHOWN)
        text = f"{time} {record.levelname:<7} {name}: {visible(said.event + given + known)}"
        if said.exc_info:
            text += "\n" + visible(self.formatException(said.exc_info), lines=True)
        return self._redaction.text(text)


class JsonFormatter(logging.Formatter):
    """One object a line: ``timestamp, level, logger, event``, what ``extra`` gave, and ``exception``.

    Secrets are hidden.
    """

    def __init__(self, redaction: Redaction | None = None) -> None:
        super().__init__()
        self._redaction = redaction or Redaction()

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = _said(record)
        entry = {
            "timestamp": iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": said.event,
            **said.values,
            **{name: value for name, value in vars(record).items() if name not in _STANDARD | _OF_STRUCTLOG},
        }
        if said.exc_info:
            entry["exception"] = self.formatException(said.exc_info)
        return json.dumps(self._redaction.value(entry), default=lambda value: self._redaction.text(str(value)))


class _Said(NamedTuple):
    """What a record says."""

    event: str
    values: dict[str, Any]
    """What structlog handed over with it."""
    exc_info: ExcInfo | None


def _said(record: logging.LogRecord) -> _Said:
    event, exc_info = event_of(record.msg), record.exc_info
    if event is None:
        return _Said(record.getMessage(), {}, exc_info)
    given: Any = record.msg
    values = {name: value for name, value in given.items() if name not in _OF_STRUCTLOG | _TOLD_ANYWAY}
    return _Said(event, values, exc_info or _exc_info(given.get("exc_info")))


def _exc_info(given: Any) -> ExcInfo | None:
    """The exception that structlog was told of: itself, as a triple, or as True for the one that is handled now."""
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if isinstance(given, tuple):
        return given  # what sys.exc_info gave
    return sys.exc_info() if given else None


def set_up(settings: Settings) -> None:
    """Send all log messages of the process to stderr, in the form and from the level that the settings name."""
    handler = logging.StreamHandler(sys.stderr)
    redaction = Redaction([settings.api_key or "", *passwords(settings.storage_url)])
    handler.setFormatter(JsonFormatter(redaction) if settings.log_format == "json" else TextFormatter(redaction))
    handler.addFilter(Repetitions())
    handler.addFilter(TaskContext())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    if settings.log_level == "info":
        # What it says there, the program says itself.
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
