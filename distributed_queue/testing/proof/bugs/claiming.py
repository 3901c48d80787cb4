"""Bugs of claim."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.storage.memory.queue import MemoryQueue
from distributed_queue.testing.proof.bugs.planting import Seedbed, both, replaced
from distributed_queue.testing.proof.violations import Check

BUGS = Seedbed()
_bug = BUGS.bug


@_bug(Check.LEASE_OVERLAP)
def leaves_a_claimed_task_in_line() -> Any:
    def make(original: Any) -> Any:
        def start(self: MemoryQueue, entry: Any, *rest: Any) -> None:
            original(self, entry, *rest)
            if entry.attempt == 1:
                self.index_ready(entry)

        return start

    def ready(self: MemoryQueue, key: tuple[int, int, str]) -> bool:
        entry = self.tasks.get(key[2])
        return entry is not None and entry.status in (TaskStatus.PENDING, TaskStatus.PROCESSING)

    return both(replaced(MemoryQueue, "_start", make), patch.object(MemoryQueue, "_is_ready", ready))


@_bug(Check.UNFINISHED, Check.STATE, Check.LOST)
def takes_in_one_step_and_leases_in_another() -> Any:
    """The process dies between the two, now and then."""

    def make(original: Any) -> Any:
        def take(self: MemoryQueue, wanted: int, *rest: Any) -> Any:
            if wanted and self._sequence % 13 == 0:
                self._ready.pop()
            return original(self, wanted, *rest)

        return take

    return replaced(MemoryQueue, "take", make)


@_bug(Check.ATTEMPTS)
def forgets_to_count_the_attempt() -> Any:
    def make(original: Any) -> Any:
        def start(self: MemoryQueue, entry: Any, *rest: Any) -> None:
            entry.attempt = max(0, entry.attempt - 1)
            original(self, entry, *rest)

        return start

    return replaced(MemoryQueue, "_start", make)


@_bug(Check.ATTEMPTS)
def counts_the_attempt_twice() -> Any:
    def make(original: Any) -> Any:
        def start(self: MemoryQueue, entry: Any, *rest: Any) -> None:
            entry.attempt += 1
            original(self, entry, *rest)

        return start

    return replaced(MemoryQueue, "_start", make)


@_bug(Check.ORDER)
def runs_the_latest_first() -> Any:
    def make(original: Any) -> Any:
        def ready(self: MemoryQueue, entry: Any, ready_ms: int, *, keep_place: bool = False) -> None:
            self._sequence -= 2
            original(self, entry, ready_ms, keep_place=keep_place)

        return ready

    return replaced(MemoryQueue, "make_ready", make)


@_bug(Check.ORDER)
def ignores_priority() -> Any:
    def index(self: MemoryQueue, entry: Any) -> None:
        self._ready.push((0, entry.sequence, entry.id))

    def ready(self: MemoryQueue, key: tuple[int, int, str]) -> bool:
        entry = self.tasks.get(key[2])
        return entry is not None and entry.status is TaskStatus.PENDING and entry.sequence == key[1]

    return both(patch.object(MemoryQueue, "index_ready", index), patch.object(MemoryQueue, "_is_ready", ready))


@_bug(Check.CONCURRENCY)
def ignores_the_concurrency_limit() -> Any:
    return patch("distributed_queue.storage.memory.queue.concurrency_room", lambda _leases, _limit: None)


@_bug(Check.CONCURRENCY)
def allows_one_lease_too_many() -> Any:
    return patch(
        "distributed_queue.storage.memory.queue.concurrency_room",
        lambda leases, limit: None if limit is None else max(0, limit + 1 - leases),
    )


@_bug(Check.RATE)
def ignores_the_rate_limit() -> Any:
    return patch.object(MemoryQueue, "rate_decision", lambda self, _now, wanted: (wanted, self._tat_ms, 0.0))


@_bug(Check.RATE)
def forgets_what_it_let_through() -> Any:
    def make(original: Any) -> Any:
        def take(self: MemoryQueue, *rest: Any) -> Any:
            taken = original(self, *rest)
            self._tat_ms = 0.0
            return taken

        return take

    return replaced(MemoryQueue, "take", make)


@_bug(Check.PAUSED)
def claims_from_a_paused_queue() -> Any:
    def room(self: MemoryQueue, wanted: int) -> int:
        return min(wanted, self.counts[TaskStatus.PENDING])

    return patch.object(MemoryQueue, "room", room)


@_bug(Check.EXPIRED_RUN)
def runs_expired_tasks() -> Any:
    return patch.object(MemoryQueue, "_expire", lambda self, entry, _now: _unexpire(self, entry))


def _unexpire(queue: MemoryQueue, entry: Any) -> None:
    """Let a task that has expired run all the same."""
    entry.expires_ms = None
    if entry.status is TaskStatus.PENDING:
        queue.index_ready(entry)
