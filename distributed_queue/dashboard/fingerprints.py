"""Errors that are the same, though their messages differ: by class, and by where in the program they were raised."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from distributed_queue.core.task import Task

_FRAME = re.compile(r'^  File "(?P<file>[^"]*)", line (?P<line>\d+), in (?P<name>\S+)', re.MULTILINE)
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_OURS = "distributed_queue/"
_MAX_KINDS = 5
_NO_ERROR = "(no error was kept)"


class Fingerprint(NamedTuple):
    """What makes errors the same."""

    kind: str
    """The exception's class, or what is known instead."""
    frame: str
    """The innermost place of the traceback; empty where there is none."""
    reason: str
    """Why the task is dead."""

    @property
    def id(self) -> str:
        """A short name, the same on every server."""
        return hashlib.sha256("\0".join(self).encode("utf-8", "replace")).hexdigest()[:12]


class Group(NamedTuple):
    """Dead letters with one fingerprint. The figures are those of the letters that were looked at."""

    fingerprint: Fingerprint
    number: int
    latest: Task
    first_at: float | None
    queues: tuple[str, ...]
    types: tuple[str, ...]


def fingerprint(task: Task) -> Fingerprint:
    """That of a task which failed."""
    error = task.error or ""
    name, colon, _ = error.partition(":")
    kind = name if (colon or error) and _CLASS.fullmatch(name) else error[:60] or _NO_ERROR
    return Fingerprint(kind, _top_frame(task.traceback or ""), task.reason or "")


def _top_frame(traceback: str) -> str:
    frames = list(_FRAME.finditer(traceback))
    if not frames:
        return ""
    theirs = [frame for frame in frames if _OURS not in frame["file"]] or frames
    top = theirs[-1]
    file = "/".join(top["file"].replace("\\", "/").rsplit("/", 2)[-2:])
    return f"{file}:{top['line']} in {top['name']}"


def group(tasks: Iterable[Task]) -> list[Group]:
    """The groups of these tasks, which come the latest first; the largest group first."""
    grouped: dict[Fingerprint, list[Task]] = {}
    for task in tasks:
        grouped.setdefault(fingerprint(task), []).append(task)
    groups = [
        Group(
            key,
            len(members),
            members[0],
            members[-1].finished_at,
            tuple(sorted({task.queue for task in members})[:_MAX_KINDS]),
            tuple(sorted({task.type for task in members})[:_MAX_KINDS]),
        )
        for key, members in grouped.items()
    ]
    return sorted(groups, key=lambda each: -each.number)
