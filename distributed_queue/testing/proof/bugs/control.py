"""Bugs of the control verbs, of retention and of the journal."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from distributed_queue.core.lifecycle import Event, TaskStatus
from distributed_queue.storage.memory import settling
from distributed_queue.storage.memory.journal import MemoryJournal
from distributed_queue.storage.memory.queue import MemoryQueue
from distributed_queue.testing.proof.bugs.planting import Seedbed, replaced
from distributed_queue.testing.proof.violations import Check

BUGS = Seedbed()
_bug = BUGS.bug


@_bug(Check.JOURNAL_MOVE, Check.STALE_OUTCOME)
def runs_cancelled_tasks() -> Any:
    def ready(self: MemoryQueue, key: tuple[int, int, str]) -> bool:
        entry = self.tasks.get(key[2])
        return entry is not None and entry.status in (TaskStatus.PENDING, TaskStatus.CANCELLED)

    return patch.object(MemoryQueue, "_is_ready", ready)


@_bug(Check.UNFINISHED, Check.STATE)
def loses_a_task_whose_priority_changes() -> Any:
    def make(original: Any) -> Any:
        def update(queue: MemoryQueue, entry: Any, changes: Any, now_ms: int) -> bool:
            with patch.object(MemoryQueue, "index_ready", lambda _self, _entry: None):
                return bool(original(queue, entry, changes, now_ms))

        return update

    return replaced(settling, "update", make)


@_bug(Check.CRASH_LIMIT)
def keeps_the_crashes_of_a_requeued_task() -> Any:
    def make(original: Any) -> Any:
        def requeue(queue: MemoryQueue, entry: Any, now_ms: int, delay_ms: int = 0) -> bool:
            crashes = entry.crashes
            done = bool(original(queue, entry, now_ms, delay_ms))
            entry.crashes = max(crashes, 2)
            return done

        return requeue

    return replaced(settling, "requeue", make)


@_bug(Check.LOST, Check.STATE)
def trims_tasks_that_are_not_old() -> Any:
    def make(original: Any) -> Any:
        def finish(self: MemoryQueue, entry: Any, status: TaskStatus, now_ms: int) -> None:
            original(self, entry, status, now_ms)
            if self._sequence % 7 == 0:
                self.forget(entry)

        return finish

    return replaced(MemoryQueue, "finish", make)


@_bug(Check.JOURNAL_MOVE, Check.STATE, Check.LOST)
def leaves_steps_out_of_the_journal() -> Any:
    def make(original: Any) -> Any:
        def append(self: MemoryJournal, at: float, changes: Any, config: Any) -> None:
            if len(changes) != 1:
                original(self, at, changes, config)

        return append

    return replaced(MemoryJournal, "append", make)


@_bug(Check.JOURNAL_GAP)
def skips_a_position() -> Any:
    def make(original: Any) -> Any:
        def append(self: MemoryJournal, at: float, changes: Any, config: Any) -> None:
            self.tail += self.tail % 11 == 0
            original(self, at, changes, config)

        return append

    return replaced(MemoryJournal, "append", make)


@_bug(Check.STORED_TWICE, Check.JOURNAL_MOVE, Check.LEASE_OVERLAP, Check.SECOND_OUTCOME, Check.STALE_OUTCOME)
def journals_a_step_twice() -> Any:
    def make(original: Any) -> Any:
        def append(self: MemoryJournal, at: float, changes: Any, config: Any) -> None:
            original(self, at, changes, config)
            if self.tail % 17 == 0:
                original(self, at, changes, config)

        return append

    return replaced(MemoryJournal, "append", make)


@_bug(Check.UNASKED_OUTCOME)
def deletes_tasks_that_wait_for_long() -> Any:
    def make(original: Any) -> Any:
        def sweep(self: MemoryQueue, now_ms: int) -> None:
            original(self, now_ms)
            for entry in list(self.tasks.values()):
                if entry.status is TaskStatus.PENDING and now_ms - entry.created_ms > 8_000:
                    self.record(Event.DELETED, entry)
                    self.forget(entry)

        return sweep

    return replaced(MemoryQueue, "sweep", make)


@_bug(Check.EXPIRED_RUN)
def expires_by_a_clock_that_is_ahead() -> Any:
    def make(original: Any) -> Any:
        def until(self: MemoryQueue, heap: Any, now_ms: int) -> Any:
            return original(self, heap, now_ms + 1000 if heap is self._expiring else now_ms)

        return until

    return replaced(MemoryQueue, "_until", make)


@_bug(Check.ORDER)
def promotes_the_latest_first() -> Any:
    def make(original: Any) -> Any:
        def until(self: MemoryQueue, heap: Any, now_ms: int) -> Any:
            entries = original(self, heap, now_ms)
            return reversed(list(entries)) if heap is self._due else entries

        return until

    return replaced(MemoryQueue, "_until", make)
