"""Bugs of leases."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.storage.memory.queue import MemoryQueue
from distributed_queue.testing.proof.bugs.planting import Seedbed, replaced
from distributed_queue.testing.proof.violations import Check

BUGS = Seedbed()
_bug = BUGS.bug


@_bug(Check.LEASE_OVERLAP)
def trusts_a_clock_that_is_ahead() -> Any:
    """The sweep takes leases back five seconds early, as a client whose clock is ahead would."""

    def make(original: Any) -> Any:
        def until(self: MemoryQueue, heap: Any, now_ms: int) -> Any:
            return original(self, heap, now_ms + 5000 if heap is self._leases else now_ms)

        return until

    return replaced(MemoryQueue, "_until", make)


@_bug(Check.EARLY)
def promotes_by_a_clock_that_is_ahead() -> Any:
    def make(original: Any) -> Any:
        def until(self: MemoryQueue, heap: Any, now_ms: int) -> Any:
            return original(self, heap, now_ms + 500 if heap is self._due else now_ms)

        return until

    return replaced(MemoryQueue, "_until", make)


@_bug(Check.UNFINISHED)
def never_takes_leases_back() -> Any:
    return patch.object(MemoryQueue, "_is_leased", lambda _self, _key: False)


@_bug(Check.JOURNAL_MOVE, Check.STALE_OUTCOME, Check.STATE)
def sweeps_without_a_second_look() -> Any:
    """The sweep takes back a lease that was settled since it was listed."""

    def leased(self: MemoryQueue, key: tuple[int, str]) -> bool:
        entry = self.tasks.get(key[1])
        return entry is not None and entry.status in (TaskStatus.PROCESSING, TaskStatus.COMPLETED)

    return patch.object(MemoryQueue, "_is_leased", leased)


@_bug(Check.ORDER)
def sends_a_lost_task_to_the_end_of_the_line() -> Any:
    def make(original: Any) -> Any:
        def ready(self: MemoryQueue, entry: Any, ready_ms: int, *, keep_place: bool = False) -> None:
            original(self, entry, ready_ms, keep_place=keep_place and entry.crashes == 0)

        return ready

    return replaced(MemoryQueue, "make_ready", make)


@_bug(Check.CRASH_LIMIT)
def lets_a_task_crash_for_ever() -> Any:
    def make(original: Any) -> Any:
        def ran_out(self: MemoryQueue, entry: Any, now_ms: int) -> None:
            real, entry.crashes = entry.crashes, -100
            original(self, entry, now_ms)
            entry.crashes = real + 1

        return ran_out

    return replaced(MemoryQueue, "_lease_ran_out", make)


@_bug(Check.CRASH_LIMIT)
def buries_after_the_first_crash() -> Any:
    def make(original: Any) -> Any:
        def ran_out(self: MemoryQueue, entry: Any, now_ms: int) -> None:
            entry.crashes = 100
            original(self, entry, now_ms)

        return ran_out

    return replaced(MemoryQueue, "_lease_ran_out", make)
