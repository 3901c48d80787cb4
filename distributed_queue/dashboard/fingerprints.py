"""Errors that are the same, though their messages differ: by class, and by where in the program they were raised."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from distributed_queue.core.task import Task

_FRAME = re.compile(r'^  File "(?P<file>[^"]*)", line (?P<line>\d+), in (?P<name>\S+)', re.MULTILINE)
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_OURS = "distributed_queue/"
_MAX_NAMES = 5
_FEWEST = 2
_LONGEST_VALUE = 100
SHOWN = 50
"""Letters of a group that are listed."""
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
    keys: tuple[tuple[str, str], ...]
    """Queue and id of the latest ones."""


class Sorter:
    """Sorts dead letters, which come the latest first, without keeping more of them than it shows."""

    def __init__(self) -> None:
        self.seen = 0
        self._heaps: dict[Fingerprint, _Heap] = {}

    def add(self, tasks: Iterable[Task]) -> None:
        """Sort some more in."""
        for task in tasks:
            self.seen += 1
            key = fingerprint(task)
            heap = self._heaps.get(key)
            if heap is None:
                heap = self._heaps[key] = _Heap(task)
            heap.add(task)

    def groups(self) -> list[Group]:
        """The largest first."""
        groups = [heap.group(key) for key, heap in self._heaps.items()]
        return sorted(groups, key=lambda each: -each.number)


class _Heap:
    def __init__(self, latest: Task) -> None:
        self._latest = latest
        self._number = 0
        self._first_at: float | None = None
        self._queues: set[str] = set()
        self._types: set[str] = set()
        self._keys: list[tuple[str, str]] = []

    def add(self, task: Task) -> None:
        self._number += 1
        self._first_at = task.finished_at
        self._queues.add(task.queue)
        self._types.add(task.type)
        if len(self._keys) < SHOWN:
            self._keys.append((task.queue, task.task_id))

    def group(self, key: Fingerprint) -> Group:
        queues, types = (tuple(sorted(names)[:_MAX_NAMES]) for names in (self._queues, self._types))
        return Group(key, self._number, self._latest, self._first_at, queues, types, tuple(self._keys))


def fingerprint(task: Task) -> Fingerprint:
    """That of a task which failed."""
    error = task.error or ""
    name, colon, _ = error.partition(":")
    kind = name if (colon or error) and _CLASS.fullmatch(name) else error[:60] or _NO_ERROR
    return Fingerprint(kind, _top_frame(task.traceback or ""), task.reason or "")


def in_common(tasks: Sequence[Task]) -> list[tuple[str, str]]:
    """What all of several payloads have: names and values, of the data's first level. Often that is the cause."""
    parts = [task.payload.get("data") if isinstance(task.payload, dict) else None for task in tasks]
    if len(parts) < _FEWEST or not all(isinstance(part, dict) for part in parts):
        return []
    first, *others = cast("list[dict[str, Any]]", parts)
    same = {
        name: value
        for name, value in first.items()
        if isinstance(value, (str, int, float)) and all(_same(other.get(name), value) for other in others)
    }
    return [(name, str(value)[:_LONGEST_VALUE]) for name, value in list(same.items())[:_MAX_NAMES]]


def _same(value: object, other: object) -> bool:
    """Whether values are equal in JSON: 1 is not true."""
    return type(value) is type(other) and value == other


def _top_frame(traceback: str) -> str:
    frames = list(_FRAME.finditer(traceback))
    if not frames:
        return ""
    theirs = [frame for frame in frames if _OURS not in frame["file"]] or frames
    top = theirs[-1]
    file = "/".join(top["file"].replace("\\", "/").rsplit("/", 2)[-2:])
    return f"{file}:{top['line']} in {top['name']}"
