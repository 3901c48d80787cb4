"""The language of the search field: ``queue:mail status:dead error:timeout created>2h``, or a task's id alone."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import NamedTuple

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import StoredTask, TaskFilter, check_queue_name
from distributed_queue.core.task import decode_failure
from distributed_queue.errors import InvalidInput

AFTER, BEFORE = "created>", "created<"
QUALIFIERS = ("queue:", "type:", "status:", "error:", AFTER, BEFORE, "id:")
_WORD = re.compile(r'(?:(?P<name>created:?[<>]|[A-Za-z]+:))?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))')
_AGE = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,3})?)(?P<unit>s|min|m|h|d)")
_UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MAX_LENGTH = 1000


class Search(NamedTuple):
    """What to look for; None means any."""

    queue: str | None = None
    type: str | None = None
    status: TaskStatus | None = None
    id: str | None = None
    error: str | None = None
    """What its error says, in any case of letters."""
    after: str | None = None
    """Submitted later than this, as it was typed."""
    before: str | None = None

    @property
    def needs_look(self) -> bool:
        """Whether tasks have to be looked at one by one, because the storage cannot choose them."""
        return not (self.error is None and self.after is None and self.before is None)

    @property
    def is_all(self) -> bool:
        """Whether every task fits."""
        return self == Search()

    def filter(self) -> TaskFilter:
        """What the storage can choose by."""
        return TaskFilter(self.queue, self.status, self.type)

    def fitting(self, now: float) -> Fitting:
        """What remains to be looked at in each task."""
        return Fitting(
            None if self.error is None else self.error.lower(),
            None if self.after is None else moment(self.after, now),
            None if self.before is None else moment(self.before, now),
        )

    def text(self, **changes: str | None) -> str:
        """As it stands in the search field, with some qualifiers changed or, for None, left out."""
        values = {**self._asdict(), **changes}
        names = {name: f"{name}:" for name in values} | {"after": AFTER, "before": BEFORE}
        return " ".join(f"{names[name]}{_quote(str(value))}" for name, value in values.items() if value)


class Fitting(NamedTuple):
    """Which of the tasks fit that the storage chose."""

    error: str | None = None
    after: float | None = None
    before: float | None = None

    def fits(self, task: StoredTask) -> bool:
        """Whether the task does."""
        if self.after is not None and task.created_at <= self.after:
            return False
        if self.before is not None and task.created_at >= self.before:
            return False
        if self.error is None:
            return True
        return task.error is not None and self.error in decode_failure(task.error).error.lower()


def moment(text: str, now: float) -> float:
    """Seconds since the epoch for an age (``90s``, ``15min``, ``2h``, ``7d``) or a date, with or without a time (UTC).

    Raises ``InvalidInput``.
    """
    age = _AGE.fullmatch(text)
    if age is not None:
        return now - float(age["number"]) * _UNITS[age["unit"]]
    try:
        at = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
        return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text!r:.50} is no time. Use an age like 90s, 15min, 2h or 7d, or a date like 2026-03-29 or "
            "2026-03-29T14:30."
        ) from None


def parse_search(text: str) -> Search:
    """Read what someone typed. Raises ``InvalidInput``, which says what would be right."""
    if len(text) > _MAX_LENGTH:
        raise InvalidInput(f"A search is at most {_MAX_LENGTH:,} characters long.")
    found: dict[str, str] = {}
    rest = text.strip()
    while rest:
        match = _WORD.match(rest)
        if match is None:
            raise InvalidInput('A quotation mark is not closed. Quote like this: type:"send mail"')
        name, value = (match["name"] or "id:").lower(), match["quoted"] or match["plain"] or ""
        name = name.replace(":>", ">").replace(":<", "<")
        if name not in QUALIFIERS:
            # An id may have a colon in it.
            name, value = _unknown(name, match[0])
        if name in found:
            raise InvalidInput(f"The search has {name} twice; it can be one thing at a time.")
        found[name] = value
        rest = rest[match.end() :].lstrip()
    return _check(found)


def _unknown(name: str, word: str) -> tuple[str, str]:
    if name == "created:":
        raise InvalidInput("Say whether later or earlier is meant: created>2h or created<2026-03-29.")
    if word.count(":") > 1 or any(character.isdigit() for character in word):
        return "id:", word
    known = ", ".join(QUALIFIERS)
    raise InvalidInput(f"There is no qualifier {name} – use {known} or a task's id.")  # noqa: RUF001 - a dash


def _check(found: dict[str, str]) -> Search:
    status = found.get("status:")
    if status is not None and status.lower() not in set(TaskStatus):
        raise InvalidInput(f"There is no status {status!r}. It is one of {', '.join(map(str, TaskStatus))}.")
    queue = found.get("queue:")
    if queue is not None:
        check_queue_name(queue)
    for bound in (AFTER, BEFORE):
        if bound in found:
            moment(found[bound], 0.0)
    return Search(
        queue,
        found.get("type:"),
        TaskStatus(status.lower()) if status else None,
        found.get("id:"),
        found.get("error:"),
        found.get(AFTER),
        found.get(BEFORE),
    )


def _quote(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) or not value else value
