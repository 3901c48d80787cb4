"""How numbers, durations and times look: short, with the exact value at hand."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from distributed_queue.observability.attempts import retries
from distributed_queue.observability.problems import Subject

if TYPE_CHECKING:
    from distributed_queue.observability.problems import Problem

NOTHING = "–"  # noqa: RUF001 - a dash as tables have it
_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_MANY = 100_000
_TEN = 10
"""From here on, a number needs no digits behind its point."""


def number(value: float | None) -> str:
    """A count, with commas."""
    return NOTHING if value is None else f"{value:,.0f}"


def many(value: int | None) -> str:
    """A count that nobody needs exactly above 100,000."""
    if value is None:
        return NOTHING
    if value < _MANY:
        return f"{value:,}"
    return f"{value / 1000:,.0f} k" if value < 10 * _MANY else f"{value / 1e6:,.1f} M"


def rate(value: float | None) -> str:
    """Something per second."""
    if not value:
        return NOTHING if value is None else "0"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else "<0.1"  # noqa: PLR2004 - digits


def percent(share: float | None) -> str:
    """A share of one."""
    return NOTHING if share is None else f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"  # noqa: PLR2004 - digits


def duration(seconds: float | None) -> str:
    """A duration with about three digits."""
    if seconds is None:
        return NOTHING
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return _milliseconds(seconds * 1000)
    if seconds < _TEN:
        return f"{seconds:.1f} s"
    size, unit = next(each for each in _UNITS if seconds >= each[0])
    whole = int(seconds // size)
    smaller = next((each for each in _UNITS if each[0] < size), None)
    if smaller is None or whole >= _TEN:
        return f"{whole} {unit}"
    rest = int(seconds % size // smaller[0])
    return f"{whole} {unit} {rest} {smaller[1]}" if rest else f"{whole} {unit}"


def _milliseconds(number: float) -> str:
    if not number or number >= _TEN:
        return f"{number:.0f} ms"
    return f"{number:.1f} ms" if number >= _TEN / 100 else "<0.1 ms"


def ago(seconds: float) -> str:
    """How long ago, or how soon."""
    if seconds < 0:
        return f"in {duration(-seconds)}" if seconds <= -1 else "now"
    return f"{duration(seconds)} ago" if seconds >= 1 else "now"


def iso(at: float | None) -> str:
    """The exact time in UTC."""
    if at is None:
        return NOTHING
    try:
        moment = datetime.fromtimestamp(at, tz=timezone.utc)
    except (OverflowError, ValueError, OSError):
        return str(at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(at: float | None) -> str:
    """Time of the day in UTC."""
    return NOTHING if at is None else iso(at)[11:19]


def size(count: int) -> str:
    """Bytes."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 - what a KiB is
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024  # type: ignore[assignment]  # a fraction from the second round on
    return f"{count:,.1f} GiB"


def page_about(problem: Problem) -> str:
    """The address of the page that shows more of what is wrong."""
    name = quote(problem.name, safe="")
    return {
        Subject.STORAGE: "/settings",
        Subject.WORKERS: "/workers",
        Subject.WORKER: f"/worker?id={name}",
        Subject.QUEUE: f"/queues/{name}",
        Subject.RETRYING: f"/tasks?q=queue:{name}+status:retrying",
        Subject.DEAD: "/dead",
    }[problem.about]


FILTERS: dict[str, Any] = {
    function.__name__: function
    for function in (number, many, rate, percent, duration, ago, iso, clock, size, page_about, retries)
}
