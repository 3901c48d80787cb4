"""What workers note of attempts for the task's history, and an attempt as users see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.history import AttemptOutcome
from distributed_queue.errors import TimeLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.history import StoredAttempt

MAX_ERROR = 500
"""Characters kept of an attempt's message: its start."""
MAX_TRACEBACK = 4_000
"""Characters kept of an attempt's traceback: its end. Of the latest failure, the task itself keeps more."""

MAX_LINES = 100
"""Lines of its log that are kept of an attempt, the latest."""
MAX_LINE = 500
"""Characters kept of a line: its start."""
MAX_LOG_BYTES = 8 << 10
"""What the messages of an attempt may take together; the earliest give way."""


class LogLine(msgspec.Struct, array_like=True, frozen=True):
    """A line that a handler logged."""

    at: float
    """Seconds since the epoch, by the worker's clock."""
    level: str
    message: str

    @classmethod
    def of(cls, at: float, level: str, message: str) -> LogLine:
        """In bounded text that any storage can keep."""
        return cls(at, level[:_MAX_LEVEL], storable(message[:MAX_LINE]))


class Note(msgspec.Struct, array_like=True, frozen=True):
    """What a worker knows of an attempt and the storage does not, as stored. Later versions may append to it."""

    seconds: float | None = None
    """How long the handler ran."""
    error_type: str | None = None
    error: str | None = None
    """The message alone."""
    traceback: str | None = None
    timed_out: bool = False
    log: tuple[LogLine, ...] = ()
    log_dropped: int = 0
    """Earlier lines, which were too many."""

    @classmethod
    def of(cls, seconds: float | None, error: BaseException | str | None = None, traceback: str | None = None) -> Note:
        """In bounded text that any storage can keep, without a log."""
        if error is None or isinstance(error, str):
            return cls(seconds, error=None if error is None else storable(error)[:MAX_ERROR])
        return cls(
            seconds,
            storable(type(error).__name__)[:MAX_ERROR],
            storable(message_of(error))[:MAX_ERROR],
            None if traceback is None else storable(traceback)[-MAX_TRACEBACK:],
            isinstance(error, TimeLimitExceeded),
        )

    def with_log(self, lines: Sequence[LogLine], said: int) -> Note:
        """The same with the latest of ``lines``, of ``said`` that there were in all."""
        kept: list[LogLine] = []
        room = MAX_LOG_BYTES
        for line in reversed(lines[-MAX_LINES:]):
            room -= len(line.message.encode())
            if room < 0:
                break
            kept.append(line)
        return msgspec.structs.replace(self, log=tuple(reversed(kept)), log_dropped=max(0, said - len(kept)))


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a task. Times are seconds since the epoch by the storage's clock."""

    attempt: int
    outcome: AttemptOutcome
    started_at: float
    """When it was claimed."""
    ended_at: float | None
    """When its end was stored; None while it runs."""
    duration: float | None
    """Seconds for which the handler ran; where nobody told, from claim to end."""
    worker_id: str | None
    error_type: str | None
    """The class of what was raised: also of a wish, such as ``Snooze``."""
    error: str | None
    """Its message, or the start of it."""
    traceback: str | None
    """The end of its traceback."""
    log: tuple[LogLine, ...]
    """What its handler logged, the latest lines."""
    log_dropped: int
    """How many earlier ones there were."""

    @property
    def summary(self) -> str:
        """Class and message, as far as they are known."""
        return ": ".join(text for text in (self.error_type, self.error) if text)


def attempt_record(stored: StoredAttempt) -> AttemptRecord:
    """An attempt as users see it."""
    note = decode_note(stored.note)
    duration = note.seconds
    if duration is None and stored.ended_at is not None:
        duration = round(stored.ended_at - stored.started_at, 3)
    return AttemptRecord(
        attempt=stored.attempt,
        outcome=AttemptOutcome.TIMED_OUT if note.timed_out else stored.outcome,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        duration=duration,
        worker_id=stored.worker_id,
        error_type=note.error_type,
        error=note.error,
        traceback=note.traceback,
        log=note.log,
        log_dropped=note.log_dropped,
    )


_MAX_LEVEL = 20

encode_note = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Note).decode


def decode_note(encoded: bytes | None) -> Note:
    """A note from its stored form; an empty one where there is none that can be read."""
    if encoded is None:
        return Note()
    try:
        return _decode(encoded)
    except (msgspec.MsgspecError, ValueError):
        return Note(error="What was noted of this attempt cannot be read.")


def message_of(error: BaseException) -> str:
    """The message of an exception, also of one that cannot be printed."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - __str__ is the user's code
        return "(its message cannot be shown)"


def storable(text: str) -> str:
    """Text that any storage can keep: lone surrogates replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")
