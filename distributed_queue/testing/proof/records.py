"""The format of a history: one JSON object a line, any number of files, in any order between files.

Each process writes what it asked for *before* it asks (``call``) and what came back (``ok``, ``fail``, or ``unknown``
where no answer came: the step may have been done or not). Handlers write their effects to a file of their own. At the
end the journal and the final state of every queue are dumped. Times are epoch seconds.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Protocol, Union, cast, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Phase = Literal["call", "ok", "fail", "unknown"]


class _Record(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", kw_only=True):
    pass


class Settings(_Record, frozen=True, kw_only=True, tag="settings"):
    """How a queue was set up; what is left out was not limited."""

    queue: str
    concurrency: int | None = None
    rate_limit: float | None = None
    rate_burst: int | None = None
    max_size: int | None = None
    max_crashes: int = 3
    strict_order: bool = True
    """Whether tasks have to be claimed exactly by (priority, arrival); not so in a partitioned queue."""
    claims_last: bool = True
    """Whether claims and extensions survive what the storage suffers; not so where a replica that lacks them may take
    over. Then an attempt may be leased, and run, twice; its outcome still counts once."""
    controls_recorded: bool = False
    """Whether all that operators ask for is recorded: then nothing else may be cancelled, requeued or deleted."""


class SubmittedTask(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A task as a client submitted it."""

    id: str
    priority: int
    execute_after: float | None = None
    delay: float | None = None
    expires_at: float | None = None
    work: str | None = None
    """What it is for, where a client may submit that under several ids: one of them may be stored."""


class Submit(_Record, frozen=True, kw_only=True, tag="submit"):
    """A batch that a client enqueued: all or none."""

    process: str
    call: int
    """Links an answer to its call, within the process."""
    phase: Phase
    queue: str = ""
    tasks: list[SubmittedTask] = []
    stored: list[bool] = []


class Claimed(_Record, frozen=True, kw_only=True, tag="claimed"):
    """Leases that a worker was given."""

    process: str
    queue: str
    worker: str
    lease_seconds: float
    tasks: list[tuple[str, int]]
    """Id and attempt."""


class SettledTask(msgspec.Struct, frozen=True, omit_defaults=True):
    """One outcome that a worker reported."""

    id: str
    attempt: int
    outcome: Literal["complete", "retry", "bury", "release", "snooze", "cancel"]
    delay: float = 0.0
    result: str | None = None
    """Hexadecimal."""


class Settle(_Record, frozen=True, kw_only=True, tag="settle"):
    """Outcomes that a worker reported."""

    process: str
    call: int
    phase: Phase
    queue: str = ""
    tasks: list[SettledTask] = []
    counted: list[bool] = []


class Extended(_Record, frozen=True, kw_only=True, tag="extended"):
    """Leases that a worker asked to extend, or extended."""

    process: str
    queue: str
    lease_seconds: float
    tasks: list[tuple[str, int]]
    phase: Phase = "ok"
    asked_at: float = 0.0
    """By the worker's clock; 0 if it is not known."""
    answered_at: float = 0.0
    states: list[str] = []


class Effect(_Record, frozen=True, kw_only=True, tag="effect"):
    """What a handler did, written by the handler, outside of the system."""

    process: str
    queue: str
    id: str
    attempt: int
    step: Literal["start", "end"]
    at: float


class Control(_Record, frozen=True, kw_only=True, tag="control"):
    """What an operator asked for; it may have been done or not."""

    process: str
    queue: str
    verb: Literal["cancel", "requeue", "delete", "clear"]
    ids: list[str] = []


class Read(_Record, frozen=True, kw_only=True, tag="read"):
    """A result that a client was shown."""

    queue: str
    id: str
    result: str | None = None


class Fault(_Record, frozen=True, kw_only=True, tag="fault"):
    """Something that was broken on purpose, from ``begin`` to ``end``."""

    fault: str
    target: str
    """The process that it was done to, as it calls itself in its records; empty for several."""
    begin: float
    end: float
    between_steps: bool = False
    """A process was stopped between two steps and not in the middle of one, so it owes a check before the next."""


class Journalled(_Record, frozen=True, kw_only=True, tag="journal"):
    """An entry of a queue's journal, as dumped at the end."""

    queue: str
    position: int
    at: float
    changes: list[tuple[str, str, int, str]]
    """Event, task id, attempt, detail."""


class Final(_Record, frozen=True, kw_only=True, tag="final"):
    """A task as the storage has it at the end."""

    queue: str
    id: str
    status: str
    attempt: int
    failures: int = 0
    crashes: int = 0
    result: str | None = None


class Drained(_Record, frozen=True, kw_only=True, tag="drained"):
    """The queue was let run empty with healthy workers: nothing may be left unfinished."""

    queue: str
    trimmed: int = 0
    """Finished tasks that retention had removed before the dump."""


Record = Union[  # noqa: UP007 - msgspec reads it at run time on Python 3.10 too
    Settings, Submit, Claimed, Settle, Extended, Effect, Control, Read, Fault, Journalled, Final, Drained
]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class History(Protocol):
    """Where records go."""

    def write(self, *records: Record) -> None:
        """Append records."""
        ...


class BadRecord(ValueError):
    """A record that fits its format and cannot be: it contradicts one that came before it."""


class HistoryWriter:
    """Appends records to a file, each call in one ``write`` in append mode, so that processes may share it."""

    def __init__(self, path: Path | str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *records: Record) -> None:
        """Append records, in the kernel's hands when this returns: they survive a kill of the process."""
        os.write(self._descriptor, b"".join(_encode(record) + b"\n" for record in records))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class HistoryFiles:
    """Histories in files, in any order, read as often as need be; what is not asked for is not decoded.

    Files whose names end in ``.gz`` are unpacked on the way.
    """

    def __init__(self, paths: Iterable[Path | str]) -> None:
        self._paths = [Path(path) for path in paths]
        self.where = ""
        """File and line of the latest record."""

    def read(self, kinds: Collection[type[Record]]) -> Iterator[Record]:
        """The records of these kinds, one by one. A last line that was cut off by a kill is left out.

        Raises ``ValueError`` naming file and line where another line is not a record.
        """
        passed_over = tuple(
            _encode({"kind": kind.__struct_config__.tag})[:-1] for kind in get_args(Record) if kind not in kinds
        )
        wanted = tuple(kinds)
        for path in self._paths:
            with _open(path) as lines:
                for number, line in enumerate(lines, 1):
                    if line.startswith(passed_over):
                        continue
                    self.where = f"{path}:{number}"
                    try:
                        record = _decode(line)
                    except msgspec.DecodeError as error:
                        if not line.endswith(b"\n"):
                            continue
                        raise ValueError(f"{self.where} is not a record of a history: {error}") from error
                    if isinstance(record, wanted):
                        yield record


def read_history(paths: Iterable[Path | str]) -> Iterator[Record]:
    """All records of some files. See ``HistoryFiles``."""
    return HistoryFiles(paths).read(get_args(Record))


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".zst":
        raise ValueError(f"{path} has to be unpacked first: zstd -d {path.name}")
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
