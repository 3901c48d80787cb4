"""Verbs that only look: get, stats, the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.records import MAX_COUNT
from distributed_queue.core.storage import QueueStats
from distributed_queue.errors import InvalidQueueName
from distributed_queue.storage.redis.codec import SECOND_MS, config_of, journal_entry, pack_id, stored_task
from distributed_queue.storage.redis.keys import INDEXES, queue_keys
from distributed_queue.storage.redis.scripts import load_script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import JournalEntry, StoredTask
    from distributed_queue.storage.redis.gateway import Gateway
    from distributed_queue.storage.redis.waiting import WaitingRoom

_POSTPONED = (TaskStatus.SCHEDULED, TaskStatus.RETRYING)
_BATCH = 1000
"""Tasks read by one call of a script: it bounds how long the server is busy with it."""


def get(gateway: Gateway, ids: Sequence[str], queue: str | None) -> list[StoredTask | None]:
    """See ``Storage.get``."""
    queues = gateway.queues() if queue is None else (queue,)
    found: dict[str, StoredTask] = {}
    wanted = list(dict.fromkeys(ids))
    for first in range(0, len(wanted), _BATCH):
        batch = wanted[first : first + _BATCH]
        packed = [pack_id(task_id) for task_id in batch]
        script = load_script("get")
        try:
            commands = [script.call(queue_keys(name).all, *packed) for name in queues]
        except InvalidQueueName:
            break  # No task can be in there.
        for name, reply in zip(queues, gateway.read(commands), strict=True):
            for task_id, described in zip(batch, reply, strict=True):
                if described is not None and task_id not in found:
                    found[task_id] = stored_task(name, task_id, described)
    return [found.get(task_id) for task_id in ids]


def stats(gateway: Gateway, queues: Sequence[str] | None) -> list[QueueStats]:
    """See ``Storage.stats``."""
    names = gateway.queues()
    if queues is not None:
        names = tuple(sorted(set(queues).intersection(names)))
    replies = gateway.read([gateway.timed("stats", name) for name in names])
    figures = []
    for name, (sizes, meta, counters, ready_age, due, due_age) in zip(names, replies, strict=True):
        figures.append(
            QueueStats.at(
                name,
                dict(zip(INDEXES, sizes, strict=True)),
                config_of(dict(zip(meta[::2], meta[1::2], strict=True))),
                due=dict(zip(_POSTPONED, due, strict=True)),
                ready_age=None if ready_age is None else ready_age / SECOND_MS,
                due_age=None if due_age is None else due_age / SECOND_MS,
                counters={
                    counter.decode(errors="replace"): int(value)
                    for counter, value in zip(counters[::2], counters[1::2], strict=True)
                },
            )
        )
    return figures


def journal(  # noqa: PLR0913, PLR0917 - the verb's own arguments, and what it needs
    gateway: Gateway, waiting: WaitingRoom, queue: str, after: int, limit: int, timeout: float
) -> list[JournalEntry]:
    """See ``Storage.journal``."""
    stream = queue_keys(queue).journal
    after = max(0, after)

    def look() -> tuple[list[JournalEntry], None]:
        # Positions that nobody can count to are not ours; whoever followed them would miss all that comes after.
        between = (f"{after + 1}-0", f"{MAX_COUNT}")
        entries = gateway.connections.run((b"XRANGE", stream, *between, b"COUNT", max(0, limit)))
        return [journal_entry(*entry) for entry in entries or ()], None

    if timeout <= 0 or limit <= 0:
        return look()[0]
    return waiting.follow(stream, after, timeout, look)


def journal_tail(gateway: Gateway, queue: str) -> int:
    """See ``Storage.journal_tail``."""
    return int(gateway.connections.run((b"HGET", queue_keys(queue).meta, b"position")) or 0)
