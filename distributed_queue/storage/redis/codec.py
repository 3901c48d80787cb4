"""How the values of the port look in Redis.

A task id that is a UUID in its canonical form, and whose first byte is below 0x20 (every UUIDv7 until the year 3084),
is its 16 raw bytes inside Redis; any other id is its text with a ``#`` in front. So the first byte tells which of the
two it is, and neither looks like the name of another key.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.config import read_config
from distributed_queue.core.history import AttemptOutcome, StoredAttempt, history_of
from distributed_queue.core.lifecycle import Event, TaskStatus
from distributed_queue.core.payload import DEFAULT_TYPE
from distributed_queue.core.storage import (
    Change,
    ClaimedTask,
    JournalEntry,
    NewTask,
    Outcome,
    QueueConfig,
    Settlement,
    StoredTask,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    Arg: TypeAlias = bytes | str | int
    """What a command's argument may be."""

_is_packable = re.compile(r"[01][0-9a-f]{7}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_TEXT_MARK = b"#"
_FIRST_TEXT_BYTE = 0x20
_ORDER_BITS = 43
SECOND_MS = 1000

OUTCOMES = (Outcome.COMPLETE, Outcome.RETRY, Outcome.BURY, Outcome.RELEASE, Outcome.SNOOZE, Outcome.CANCEL)
"""By their number in ``scripts/include/settle.lua``."""
ATTEMPT_OUTCOMES = (*(outcome.of_attempt for outcome in OUTCOMES), AttemptOutcome.CRASHED, AttemptOutcome.RUNNING)
"""By their number in ``scripts/include/history.lua``. The order is part of the layout."""
_OUTCOME_CODES = {outcome: number * 16 for number, outcome in enumerate(OUTCOMES)}
_RESULT, _ERROR, _REASON, _NOTE = 1, 2, 4, 8
_DELAYED = frozenset({Outcome.RETRY, Outcome.SNOOZE})
_FAILED = frozenset({Outcome.RETRY, Outcome.BURY})

EVENTS = tuple(
    str(event)
    for event in (
        Event.ENQUEUED,
        Event.DUE,
        Event.CLAIMED,
        Event.COMPLETED,
        Event.RETRYING,
        Event.DEAD,
        Event.RELEASED,
        Event.SNOOZED,
        Event.LEASE_EXPIRED,
        Event.CANCEL_REQUESTED,
        Event.CANCELLED,
        Event.EXPIRED,
        Event.REQUEUED,
        Event.UPDATED,
        Event.DELETED,
        Event.CLEARED,
        Event.PAUSED,
        Event.RESUMED,
        Event.CONFIGURED,
    )
)
"""By their number in ``scripts/include/journal.lua``. The order is part of the layout."""


# Ids


def pack_id(task_id: str) -> bytes:
    """An id as it is inside Redis."""
    if _is_packable(task_id):
        return unhexlify(task_id.replace("-", ""))
    return _TEXT_MARK + task_id.encode()


def unpack_id(inside: bytes) -> str:
    """An id from what is inside Redis; an empty one stays empty."""
    if inside and inside[0] < _FIRST_TEXT_BYTE:
        digits = inside.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return inside[1:].decode(errors="replace")


# What scripts are given


def _alike(task: NewTask) -> tuple[str, int, float | None, float | None, float | None]:
    return task.type, task.priority, task.execute_after, task.delay, task.expires_at


def enqueue_args(tasks: Iterable[NewTask]) -> list[Arg]:
    """Tasks of one queue, in runs of those alike, as ``enqueue.lua`` takes them."""
    args: list[Arg] = []
    for (task_type, priority, after, delay, expires), run in groupby(tasks, _alike):
        members: list[Arg] = []
        for task in run:
            members += (pack_id(task.id), task.body)
        args += (
            len(members) // 2,
            task_type,
            priority,
            _ms_or_empty(after),
            _ms_or_empty(delay),
            _ms_or_empty(expires),
        )
        args += members
    return args


def settlement_args(settlements: Iterable[Settlement]) -> list[Arg]:
    """Settlements of one queue, as ``settle_all`` takes them."""
    args: list[Arg] = []
    for each in settlements:
        code = _OUTCOME_CODES[each.outcome]
        if each.outcome is Outcome.COMPLETE and each.note is None:
            if each.result is None:
                args += (pack_id(each.id), each.attempt, code)
            else:
                args += (pack_id(each.id), each.attempt, code + _RESULT, each.result)
            continue
        values: list[Arg] = [ceil_ms(each.delay)] if each.outcome in _DELAYED else []
        for bit, value in _given(each):
            code += bit
            values.append(value)
        args += (pack_id(each.id), each.attempt, code, *values)
    return args


def _given(settlement: Settlement) -> Iterator[tuple[int, Arg]]:
    """The optional values that go with an outcome, each with its bit."""
    outcome = settlement.outcome
    if settlement.result is not None and outcome is Outcome.COMPLETE:
        yield _RESULT, settlement.result
    if settlement.error is not None and outcome in _FAILED:
        yield _ERROR, settlement.error
    if settlement.reason and outcome is Outcome.BURY:
        yield _REASON, settlement.reason
    if settlement.note is not None:
        yield _NOTE, settlement.note


def _ms_or_empty(seconds: float | None) -> Arg:
    return "" if seconds is None else ceil_ms(seconds)


# What scripts answer


class Described(NamedTuple):
    """A task as ``describe.lua`` gives it."""

    fields: list[bytes]
    score: bytes


def stored_task(
    queue: str, task_id: str, described: Described | Sequence[Any], listed: TaskStatus | None = None
) -> StoredTask:
    """The task as the port describes it. ``listed`` is the state that it was listed under: then without a history.

    Something else may have written the record. What does not fit counts as 0 or is left out: looking must go on.
    """
    flat, score = described
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    get = fields.get
    status = _STATUS.get(get(b"s", b"pending" if get(b"c") else b""), listed or TaskStatus.PENDING)
    order = score if status is TaskStatus.PENDING else get(b"o")
    runs = status is TaskStatus.PROCESSING
    at = _whole(score) / SECOND_MS
    attempt, started_at, finished_at = _whole(get(b"a")), _seconds(get(b"g")), at if status.finished else None
    worker_id = _text(get(b"w"))
    history: tuple[StoredAttempt, ...] = ()
    if listed is None:
        history = history_of(
            _attempts(fields),
            status=status,
            attempt=attempt,
            started_at=started_at,
            finished_at=finished_at,
            worker_id=worker_id,
        )
    return StoredTask(
        queue=queue,
        id=task_id,
        type=_text(get(b"t")) or DEFAULT_TYPE,
        status=status,
        priority=_whole(order) >> _ORDER_BITS,
        body=get(b"b", b""),
        attempt=attempt,
        failures=_whole(get(b"f")),
        crashes=_whole(get(b"k")),
        created_at=_whole(get(b"c")) / SECOND_MS,
        due_at=at if status in (TaskStatus.SCHEDULED, TaskStatus.RETRYING) else None,
        expires_at=_seconds(get(b"x")),
        started_at=started_at,
        finished_at=finished_at,
        worker_id=worker_id if runs else None,
        lease_expires_at=at if runs else None,
        cancel_requested=get(b"q") is not None,
        result=get(b"v"),
        error=get(b"e"),
        reason=_text(get(b"z")),
        progress=get(b"h"),
        history=history,
    )


class _Attempt(msgspec.Struct, array_like=True):
    """An attempt as ``history.lua`` packs it."""

    attempt: int
    outcome: int
    started_ms: int
    ended_ms: int
    worker_id: str
    note: bytes | None


_decode_attempt = msgspec.msgpack.Decoder(_Attempt).decode


def _attempts(fields: dict[bytes, bytes]) -> Iterator[StoredAttempt]:
    """What a task's hash has of its attempts, as far as it can be read."""
    for name, packed in fields.items():
        if len(name) > 1:
            try:
                each = _decode_attempt(packed)
                outcome = ATTEMPT_OUTCOMES[each.outcome]
            except (msgspec.MsgspecError, ValueError, IndexError):
                continue
            times = each.started_ms / SECOND_MS, each.ended_ms / SECOND_MS
            yield StoredAttempt(each.attempt, outcome, *times, each.worker_id, each.note)


def claimed_tasks(queue: str, now: bytes, claims: list[Any]) -> list[ClaimedTask]:
    """The tasks that ``take.lua`` handed over, six values each."""
    claimed_at = int(now) / SECOND_MS
    values = iter(claims)
    tasks = []
    for inside, attempt, order, body, created, rest in zip(values, values, values, values, values, values, strict=True):
        failures, crashes, expires = rest or (0, 0, b"")
        tasks.append(
            ClaimedTask(
                queue,
                unpack_id(inside),
                attempt,
                int(order) >> _ORDER_BITS,
                body,
                int(failures),
                int(crashes),
                int(created) / SECOND_MS,
                claimed_at,
                int(expires) / SECOND_MS if expires else None,
            )
        )
    return tasks


def flags(text: bytes) -> list[bool]:
    """A text of zeros and ones."""
    return [byte == 0x31 for byte in text]  # noqa: PLR2004 - "1"


_STATUS = {str(status).encode(): status for status in TaskStatus}


def _seconds(milliseconds: bytes | None) -> float | None:
    return None if milliseconds is None else _whole(milliseconds) / SECOND_MS


def _whole(number: bytes | None) -> int:
    try:
        return int(float(number or 0))
    except (ValueError, OverflowError):
        return 0


def _text(stored: bytes | None) -> str | None:
    return None if stored is None else stored.decode(errors="replace")


# The journal


class _StoredChange(msgspec.Struct, array_like=True):
    event: int
    id: bytes
    attempt: int
    detail: str = ""


class _StoredEntry(msgspec.Struct, array_like=True):
    at_ms: int
    changes: list[_StoredChange]


_decode_entry = msgspec.msgpack.Decoder(_StoredEntry).decode


def journal_entry(stream_id: bytes, fields: list[bytes]) -> JournalEntry:
    """An entry of the stream; without changes where it cannot be read, so that those who follow get past it."""
    position = int(stream_id.partition(b"-")[0])
    try:
        entry = _decode_entry(fields[1])
        changes = [Change(EVENTS[each.event], unpack_id(each.id), each.attempt, each.detail) for each in entry.changes]
    except (msgspec.MsgspecError, ValueError, IndexError, RecursionError):
        return JournalEntry(position, 0.0, [])
    return JournalEntry(position, entry.at_ms / SECOND_MS, changes)


# Settings

_DEFAULTS = msgspec.structs.asdict(QueueConfig())


def config_fields(config: QueueConfig) -> dict[str, str]:
    """The settings that differ from their default, as fields of the meta hash."""
    values = msgspec.structs.asdict(config)
    return {name: _setting_text(value) for name, value in values.items() if value != _DEFAULTS[name]}


def config_of(meta: dict[bytes, bytes]) -> QueueConfig:
    """The settings in a meta hash, as far as they can be read."""
    found = {name: text.decode(errors="replace") for name in _DEFAULTS if (text := meta.get(name.encode())) is not None}
    return read_config(found, texts=True)


def _setting_text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return repr(value)
