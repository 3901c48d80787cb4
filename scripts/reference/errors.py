"""The page of errors, from the tree in ``distributed_queue.errors``."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from distributed_queue import errors
from distributed_queue.api.problems import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """# Errors

Everything that the library raises on purpose is a `DistributedQueueError` from `distributed_queue.errors`. Each class
has a stable `code`, which is also in logs, in metrics and in the problem documents of the REST API, and a `transient`
flag: whether the same call may succeed later without a change. Details are attributes; nobody has to parse a message.
The number is the status that the REST API answers with, where the error gets that far.

A class in the list is also caught by naming the class that it is indented under.
"""


def tree(
    parent: type[errors.DistributedQueueError], depth: int = 0
) -> Iterator[tuple[int, type[errors.DistributedQueueError]]]:
    """The class and all below it, with their depth, in the order of the source."""
    yield depth, parent
    for child in parent.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child, depth + 1)


def page() -> str:
    """The page as Markdown."""
    lines = [INTRODUCTION]
    for depth, error in tree(errors.DistributedQueueError):
        marks = ", ".join(
            filter(None, [f"`{error.code}`", _status(error.code), "transient" if error.transient else ""])
        )
        lines.append(f"{'  ' * depth}- **`{error.__name__}`** ({marks}): {_meaning(error)}{_attributes(error)}")
    return "\n".join(lines)


def _status(code: str) -> str:
    return str(PROBLEMS[code].status)


def _meaning(error: type[Exception]) -> str:
    """The docstring on one line, in Markdown."""
    return " ".join((inspect.getdoc(error) or "").replace("``", "`").split())


def _attributes(error: type[Exception]) -> str:
    source = inspect.getsource(error)
    names = re.findall(r"^\s+self\.(\w+) = ", source, flags=re.MULTILINE)
    return f" Attributes: {', '.join(f'`{name}`' for name in names)}." if names else ""
