"""The language of the search field: ``queue:mail status:dead type:"send mail"``, or a task's id alone."""

from __future__ import annotations

import re
from typing import NamedTuple

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import TaskFilter, check_queue_name
from distributed_queue.errors import InvalidInput

QUALIFIERS = ("queue", "type", "status", "id")
_WORD = re.compile(r'(?:(?P<name>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))')
_MAX_LENGTH = 1000


class Search(NamedTuple):
    """What to look for; None means any."""

    queue: str | None = None
    type: str | None = None
    status: TaskStatus | None = None
    id: str | None = None

    def filter(self) -> TaskFilter:
        """For a listing."""
        return TaskFilter(self.queue, self.status, self.type)

    def text(self, **changes: str | None) -> str:
        """As it stands in the search field, with some qualifiers changed or, for None, left out."""
        values = {name: getattr(self, name) for name in QUALIFIERS} | changes
        return " ".join(f"{name}:{_quote(str(value))}" for name, value in values.items() if value)


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
        name, value = (match["name"] or "id").lower(), match["quoted"] or match["plain"] or ""
        if name not in QUALIFIERS:
            # An id may have a colon in it.
            name, value = _unknown(name, match[0])
        if name in found:
            raise InvalidInput(f"The search has {name}: twice; it can be one thing at a time.")
        found[name] = value
        rest = rest[match.end() :].lstrip()
    return _check(found)


def _unknown(name: str, word: str) -> tuple[str, str]:
    known = ", ".join(f"{each}:" for each in QUALIFIERS)
    if word.count(":") > 1 or any(character.isdigit() for character in word):
        return "id", word
    raise InvalidInput(f"There is no qualifier {name}: – use {known} or a task's id.")  # noqa: RUF001 - a dash


def _check(found: dict[str, str]) -> Search:
    status = found.get("status")
    if status is not None and status.lower() not in set(TaskStatus):
        raise InvalidInput(f"There is no status {status!r}. It is one of {', '.join(map(str, TaskStatus))}.")
    queue = found.get("queue")
    if queue is not None:
        check_queue_name(queue)
    return Search(queue, found.get("type"), TaskStatus(status.lower()) if status else None, found.get("id"))


def _quote(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) or not value else value
