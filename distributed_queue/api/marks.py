"""Where an event stream is in the journals that it follows, as the text that SSE clients send back to resume.

``mail:41`` is after entry 41 of the queue ``mail``; ``mail:41.3`` is after three changes of the entry that follows; a
stream of several queues has one such part for each, with commas between.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.api.problems import ApiProblem, fault

if TYPE_CHECKING:
    from collections.abc import Iterable

_PART = re.compile(r"(?P<queue>[A-Za-z0-9._-]{1,100}):(?P<after>[0-9]{1,18})(?:\.(?P<seen>[0-9]{1,9}))?")
_ANY_PART = re.sub(r"\?P<\w+>", "?:", _PART.pattern)
MARKS = f"^({_ANY_PART}(?:,{_ANY_PART})*)?$"
"""What event ids look like."""


class Mark(NamedTuple):
    """How far one queue's journal was followed."""

    after: int
    """The last entry of which all changes were seen."""
    seen: int = 0
    """How many changes of the next entry were seen."""

    def text(self, queue: str) -> str:
        """The part of an event id."""
        return f"{queue}:{self.after}.{self.seen}" if self.seen else f"{queue}:{self.after}"


def encode_marks(marks: Iterable[tuple[str, Mark]]) -> str:
    """An event id."""
    return ",".join(mark.text(queue) for queue, mark in marks)


def decode_marks(text: str) -> dict[str, Mark]:
    """What an event id says, by queue. Raises a problem where it is none of ours."""
    marks = {}
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            words = "is not an event id of this server"
            raise ApiProblem(
                "invalid-request",
                f"Last-Event-ID {words}.",
                errors=[fault(("header", "Last-Event-ID"), words, "event-id")],
            )
        marks[match["queue"]] = Mark(int(match["after"]), int(match["seen"] or 0))
    return marks
