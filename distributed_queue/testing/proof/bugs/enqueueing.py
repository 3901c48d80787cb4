"""Bugs of enqueue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from zlib import crc32

from distributed_queue.errors import QueueFull
from distributed_queue.storage.memory.queue import MemoryQueue
from distributed_queue.storage.memory.storage import MemoryStorage
from distributed_queue.testing.proof.bugs.planting import Seedbed, replaced
from distributed_queue.testing.proof.violations import Check

if TYPE_CHECKING:
    from distributed_queue.core.lifecycle import TaskStatus

BUGS = Seedbed()
_bug = BUGS.bug


@_bug(Check.LOST)
def acknowledges_before_it_writes() -> Any:
    def make(original: Any) -> Any:
        def add(self: MemoryStorage, task: Any, now_ms: int) -> bool:
            return True if crc32(task.id.encode()) % 20 == 0 else original(self, task, now_ms)

        return add

    return replaced(MemoryStorage, "_add", make)


@_bug(Check.INVENTED)
def stores_part_of_a_refused_batch() -> Any:
    def make(original: Any) -> Any:
        def enqueue(self: MemoryStorage, tasks: Any) -> Any:
            try:
                return original(self, tasks)
            except QueueFull:
                if len(tasks) > 1:
                    with self._step() as now_ms:
                        self._add(tasks[0], now_ms)
                raise

        return enqueue

    return replaced(MemoryStorage, "enqueue", make)


@_bug(Check.STORED_TWICE)
def stores_a_known_id_again() -> Any:
    def make(_: Any) -> Any:
        def add(self: MemoryStorage, task: Any, now_ms: int) -> bool:
            self._queue(task.queue).add(task, now_ms)
            return True

        return add

    return replaced(MemoryStorage, "_add", make)


@_bug(Check.STORED_TWICE)
def says_new_for_a_known_id() -> Any:
    return replaced(MemoryStorage, "_add", lambda original: lambda self, task, now: original(self, task, now) or True)


@_bug(Check.SIZE)
def lets_in_one_batch_too_many() -> Any:
    return patch("distributed_queue.storage.memory.storage.overflow", lambda depth, _arriving, limit: depth > limit)


@_bug(Check.EARLY)
def forgets_the_delay() -> Any:
    def make(original: Any) -> Any:
        def postpone(self: MemoryQueue, entry: Any, status: TaskStatus, due_ms: int) -> None:
            if entry.attempt == 0:
                self.make_ready(entry, entry.created_ms)
            else:
                original(self, entry, status, due_ms)

        return postpone

    return replaced(MemoryQueue, "postpone", make)


@_bug(Check.ORDER)
def stores_a_batch_backwards() -> Any:
    return replaced(
        MemoryStorage, "enqueue", lambda original: lambda self, tasks: original(self, list(tasks)[::-1])[::-1]
    )
