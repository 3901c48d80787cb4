"""Every key in Redis is built here.

All keys of a queue share the hash tag ``{queue}``, so that a script works on one slot:

=========================  ======  ====================================================================================
``dq:{q}:<id>``            hash    a task: body, state, attempt … (its fields are in ``scripts/include/task.lua``)
``dq:{q}:meta``            hash    settings that differ from their default, sequence, journal position, layout version
``dq:{q}:ready``           zset    pending tasks, by priority · 2⁴³ + sequence number
``dq:{q}:scheduled``       zset    by due time in ms; ``retrying`` likewise
``dq:{q}:leases``          zset    tasks that run, by deadline in ms
``dq:{q}:dead``            zset    by the time of finishing in ms; ``completed``, ``cancelled``, ``expired`` likewise
``dq:{q}:expiry``          zset    waiting tasks that may expire, by that time in ms
``dq:{q}:counters``        hash    see ``core.counters``; ``types`` is the set of task types counted apart
``dq:{q}:journal``         stream  one entry a step
``dq:{q}:wake``            zset    empty, or one marker: see ``waiting``
``dq:{q}:op:<slot>``       string  what the latest operation of a client's slot answered: see ``operations``
``dq:{q}:fence``           string  nothing: written before ``WAIT``, see ``durability``
``dq:{q}:waiter:<waiter>`` zset    what a process wakes its own blocked calls with; ``follower:…`` likewise, a stream
``dq:queues``              set     the names of all queues
``dq:{workers}:…``                 the registry of workers: see ``workers``
=========================  ======  ====================================================================================

A task is in exactly one of the indexes (``INDEXES``): that of its state. Ids look like none of the other words (see
``codec``), so tasks need no word of their own in front: with one, a key is too long for the allocator's smaller class,
and each task of a queue whose name has up to eight letters costs 16 bytes more.
"""

from __future__ import annotations

from functools import lru_cache

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import check_queue_name

INDEXES: dict[TaskStatus, str] = {
    TaskStatus.PENDING: "ready",
    TaskStatus.SCHEDULED: "scheduled",
    TaskStatus.RETRYING: "retrying",
    TaskStatus.PROCESSING: "leases",
    TaskStatus.DEAD: "dead",
    TaskStatus.COMPLETED: "completed",
    TaskStatus.CANCELLED: "cancelled",
    TaskStatus.EXPIRED: "expired",
}
"""The index that holds the tasks of each state, in the order in which scripts get them."""
_PARTS = ("meta", *INDEXES.values(), "expiry", "counters", "types", "journal", "wake", "")
"""What ``open_queue`` in ``scripts/include/queue.lua`` unpacks, in its order."""
_PUT_PARTS = ("meta", "ready", "scheduled", "retrying", "counters", "types", "journal", "wake")

QUEUES = b"dq:queues"


class QueueKeys:
    """The keys of one queue, ready to be sent."""

    __slots__ = ("_operation", "all", "for_put", "indexes", "journal", "meta", "task_prefix", "wake")

    def __init__(self, queue: str) -> None:
        tagged = f"dq:{{{check_queue_name(queue)}}}:".encode()
        self.all = tuple(tagged + part.encode() for part in _PARTS)
        """In the order of ``open_queue``."""
        self.meta = self.all[0]
        self.for_put = tuple(tagged + part.encode() for part in _PUT_PARTS)
        """Those that ``put.lua`` takes first: each key that is not sent spares the server 1 µs."""
        self.indexes = dict(zip(INDEXES, self.all[1:], strict=False))
        self.journal, self.wake, self.task_prefix = self.all[-3:]
        self._operation = tagged + b"op:"

    def operation(self, slot: bytes) -> bytes:
        """Where the latest operation of a client's slot is remembered."""
        return self._operation + slot


@lru_cache(maxsize=4096)
def queue_keys(queue: str) -> QueueKeys:
    """The keys of a queue. Raises ``InvalidQueueName``: a name with a brace in it would lead to another slot."""
    return QueueKeys(queue)


def fence_key(key: bytes) -> bytes:
    """What is written so that there is a write to wait for, on the slot of a queue's key."""
    return key[: key.index(b"}") + 1] + b":fence"


def worker_keys() -> tuple[bytes, bytes]:
    """Infos (a hash) and beats (a zset, by time in ms) of all workers."""
    return b"dq:{workers}:infos", b"dq:{workers}:beats"


def worker_commands(worker_id: str) -> bytes:
    """The list of commands that wait for a worker."""
    return b"dq:{workers}:commands:" + worker_id.encode()


def worker_operation(slot: bytes) -> bytes:
    """Where the latest operation of a client's slot on the registry is remembered."""
    return b"dq:{workers}:op:" + slot


def waiter_key(beside: bytes | None, waiter: bytes, *, for_journal: bool) -> bytes:
    """The zset, or the stream, with which a process wakes one of its own blocked calls: on the slot of another key."""
    tagged = b"dq:{wake}" if beside is None else beside[: beside.index(b"}") + 1]
    return tagged + (b":follower:" if for_journal else b":waiter:") + waiter
