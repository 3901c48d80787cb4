"""Bugs of leases."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Lease, LeaseState
from distributed_queue.storage.memory import settling
from distributed_queue.storage.memory.queue import MemoryQueue
from distributed_queue.testing.proof.bugs.planting import Seedbed, both, replaced
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


@_bug(Check.LEASE_OVERLAP)
def says_held_for_a_lease_that_is_lost() -> Any:
    return patch.object(settling, "extend", lambda _queue, _lease, _deadline: LeaseState.HELD)


@_bug(Check.LEASE_OVERLAP)
def extends_a_lease_by_an_old_token() -> Any:
    def make(original: Any) -> Any:
        def extend(queue: MemoryQueue, lease: Lease, deadline_ms: int) -> LeaseState:
            entry = queue.tasks.get(lease.id)
            current = lease if entry is None else Lease(lease.queue, lease.id, entry.attempt)
            return LeaseState(original(queue, current, deadline_ms))

        return extend

    return replaced(settling, "extend", make)


@_bug(Check.LEASE_OVERLAP)
def says_held_and_extends_nothing() -> Any:
    def make(original: Any) -> Any:
        def extend(queue: MemoryQueue, lease: Lease, _deadline_ms: int) -> LeaseState:
            with patch.object(MemoryQueue, "hold", lambda _self, _entry, _deadline: None):
                return LeaseState(original(queue, lease, 0))

        return extend

    return replaced(settling, "extend", make)


@_bug(Check.UNFINISHED)
def leaks_the_slot_of_a_dead_worker() -> Any:
    leaked = 0

    def make(original: Any) -> Any:
        def ran_out(self: MemoryQueue, entry: Any, now_ms: int) -> None:
            nonlocal leaked
            leaked += 1
            original(self, entry, now_ms)

        return ran_out

    def room(leases: int, limit: int | None) -> int | None:
        return None if limit is None else max(0, limit - leases - leaked)

    return both(
        replaced(MemoryQueue, "_lease_ran_out", make),
        patch("distributed_queue.storage.memory.queue.concurrency_room", room),
    )
