"""What the values of options may look like: durations, times, JSON, limits that may be ``none``."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distributed_queue.core.pace import FASTEST, SLOWEST
from distributed_queue.errors import ConfigurationError
from distributed_queue.settings import parse_duration, parse_setting

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # at run time: older versions of click are not generic

FOREVER = float("inf")
NONE = object()
"""Stands for ``none``, since None stands for an option that was not given."""

_EPOCH = re.compile(r"\d{1,12}(\.\d+)?")
_PER_TIME = re.compile(r"(\d{1,12}(?:\.\d+)?)(?:/([smh]))?")
_SECONDS_OF = {"s": 1, "m": 60, "h": 3600}
_BARE_TEXT = re.compile(r"[A-Za-z][\w .,-]{0,40}")


class Duration(_ParamType):
    """Seconds, from ``90``, ``500ms``, ``30s``, ``5m``, ``2h``, ``1d``, ``1h30m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The seconds."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a duration; write it like 90, 500ms, 30s, 5m, 2h or 1d.", param, ctx)


class TasksPerTime(_ParamType):
    """Tasks a second, from ``10``, ``10/s``, ``600/m``, ``9000/h``."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """How many a second."""
        if isinstance(value, float):
            return value
        match = _PER_TIME.fullmatch(str(value).strip())
        rate = float(match[1]) / _SECONDS_OF[match[2] or "s"] if match else 0.0
        if not SLOWEST <= rate <= FASTEST:
            bounds = f"from {SLOWEST:g} to {FASTEST:,.0f} a second"
            self.fail(f"{value!r} is not a rate; write it like 10/s, 600/m or 9000/h, {bounds}.", param, ctx)
        return rate


class Patience(Duration):
    """A duration, or ``FOREVER`` where the option is given without one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The seconds."""
        return FOREVER if value == "forever" else super().convert(value, param, ctx)


class Moment(_ParamType):
    """Seconds since the epoch, from ISO 8601 or themselves."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The seconds since the epoch."""
        try:
            return value if isinstance(value, float) else parse_moment(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time; write it like 2030-01-31T08:30:00Z or as epoch seconds.", param, ctx)


class Json:
    """A value that came as JSON; wrapped, because None is one too."""

    def __init__(self, value: Any) -> None:
        self.value = value


class JsonText(_ParamType):
    """A JSON value: the text itself, ``@file`` to read it from a file, ``-`` to read it from stdin."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, as ``Json``."""
        if isinstance(value, Json):
            return value
        text = self._read(str(value), param, ctx)
        try:
            return Json(json.loads(text, parse_constant=refuse_constant))
        except (ValueError, RecursionError) as error:
            quoted = f" A text needs its own quotes: '\"{text}\"'" if _BARE_TEXT.fullmatch(text) else ""
            self.fail(f"{text[:60]!r} is not JSON: {error}.{quoted}", param, ctx)

    def _read(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            if value == "-":
                return sys.stdin.read()
            if value.startswith("@"):
                return Path(value[1:]).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
            self.fail(f"{value!r} cannot be read: {error}", param, ctx)
        return value


class Setting(_ParamType):
    """What a field of ``Settings`` accepts."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.name = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The setting's value."""
        if not isinstance(value, str):
            return value
        try:
            return parse_setting(self.field, value, called="it")
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class OrNone(_ParamType):
    """What another type accepts, or ``none`` for no limit."""

    def __init__(self, inner: _ParamType) -> None:
        self.inner = inner
        self.name = f"{inner.name} or none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, or ``NONE``."""
        return NONE if value == "none" or value is NONE else self.inner.convert(value, param, ctx)


DURATION, PATIENCE, MOMENT, JSON = Duration(), Patience(), Moment(), JsonText()


def parse_moment(text: str) -> float:
    """Seconds since the epoch, of ISO 8601 (UTC where it has no offset) or of themselves. Else ValueError."""
    compact = text.strip()
    if _EPOCH.fullmatch(compact):
        return float(compact)
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", compact))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r:.50} is not a time: write ISO 8601 or seconds since the epoch") from error


def refuse_constant(constant: str) -> None:
    """For ``json.loads``: NaN and the infinities are not JSON."""
    raise ValueError(f"{constant} is not a JSON number")
