"""Bugs of settle."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import msgspec

from distributed_queue.core.lifecycle import Event, TaskStatus
from distributed_queue.core.storage import ClaimedTask, Lease, LeaseState, Outcome, Settlement
from distributed_queue.storage.memory import settling
from distributed_queue.storage.memory.queue import MemoryQueue
from distributed_queue.testing.proof.bugs.planting import Seedbed, both, replaced
from distributed_queue.testing.proof.simulation import Simulation
from distributed_queue.testing.proof.violations import Check

BUGS = Seedbed()
_bug = BUGS.bug


@_bug(Check.STALE_OUTCOME, Check.SECOND_OUTCOME, Check.UNKEPT_OUTCOME)
def drops_the_token_check() -> Any:
    def make(original: Any) -> Any:
        def settle(queue: MemoryQueue, settlement: Any, now_ms: int) -> bool:
            entry = queue.tasks.get(settlement.id)
            if entry is not None and entry.status is TaskStatus.PROCESSING and entry.attempt != settlement.attempt:
                settling._apply(queue, entry, settlement, now_ms)  # noqa: SLF001 - to break it
                return True
            return bool(original(queue, settlement, now_ms))

        return settle

    return replaced(settling, "settle", make)


@_bug(Check.STALE_OUTCOME)
def accepts_an_outcome_after_the_lease_ran_out() -> Any:
    def make(original: Any) -> Any:
        def settle(queue: MemoryQueue, settlement: Any, now_ms: int) -> bool:
            entry = queue.tasks.get(settlement.id)
            if entry is not None and entry.status is TaskStatus.PENDING and entry.attempt == settlement.attempt:
                settling._apply(queue, entry, settlement, now_ms)  # noqa: SLF001 - to break it
                return True
            return bool(original(queue, settlement, now_ms))

        return settle

    return replaced(settling, "settle", make)


@_bug(Check.UNKEPT_OUTCOME)
def says_yes_to_a_stale_outcome() -> Any:
    return replaced(settling, "settle", lambda original: lambda *args: original(*args) or True)


@_bug(Check.WRONG_RESULT)
def lets_a_stale_outcome_overwrite_the_result() -> Any:
    def make(original: Any) -> Any:
        def settle(queue: MemoryQueue, settlement: Any, now_ms: int) -> bool:
            counted = bool(original(queue, settlement, now_ms))
            entry = queue.tasks.get(settlement.id)
            if entry is not None and settlement.outcome is Outcome.COMPLETE:
                entry.result = settlement.result
            return counted

        return settle

    return replaced(settling, "settle", make)


@_bug(Check.WRONG_RESULT)
def loses_the_result() -> Any:
    def make(original: Any) -> Any:
        def apply(queue: MemoryQueue, entry: Any, settlement: Any, now_ms: int) -> None:
            original(queue, entry, settlement, now_ms)
            entry.result = None

        return apply

    return replaced(settling, "_apply", make)


@_bug(Check.SECOND_OUTCOME, Check.STALE_OUTCOME)
def completes_twice_when_asked_twice() -> Any:
    """A settle that is not idempotent: the repetition after a lost answer counts again."""

    def make(original: Any) -> Any:
        def settle(queue: MemoryQueue, settlement: Any, now_ms: int) -> bool:
            entry = queue.tasks.get(settlement.id)
            if entry is not None and entry.status is TaskStatus.COMPLETED and entry.attempt == settlement.attempt:
                queue.record(Event.COMPLETED, entry)
            return bool(original(queue, settlement, now_ms))

        return settle

    return replaced(settling, "settle", make)


@_bug(Check.UNFINISHED, Check.STATE, Check.LOST)
def forgets_a_task_that_failed() -> Any:
    def make(original: Any) -> Any:
        def postpone(self: MemoryQueue, entry: Any, status: TaskStatus, due_ms: int) -> None:
            original(self, entry, status, due_ms)
            if entry.attempt:
                self.forget(entry)

        return postpone

    return replaced(MemoryQueue, "postpone", make)


@_bug(Check.EARLY)
def retries_without_the_delay() -> Any:
    def make(original: Any) -> Any:
        def postpone(self: MemoryQueue, entry: Any, status: TaskStatus, due_ms: int) -> None:
            original(self, entry, status, due_ms if entry.attempt == 0 else (entry.started_ms or 0))

        return postpone

    return replaced(MemoryQueue, "postpone", make)


@_bug(Check.ORDER)
def sends_a_released_task_to_the_end_of_the_line() -> Any:
    def make(original: Any) -> Any:
        def ready(self: MemoryQueue, entry: Any, ready_ms: int, *, keep_place: bool = False) -> None:
            original(self, entry, ready_ms, keep_place=keep_place and entry.crashes > 0)

        return ready

    return replaced(MemoryQueue, "make_ready", make)


@_bug(Check.LEASE_OVERLAP, Check.DUPLICATE_RUN, Check.UNKEPT_OUTCOME)
def ends_a_lease_that_was_extended() -> Any:
    def extend(queue: MemoryQueue, lease: Lease, _deadline_ms: int) -> LeaseState:
        entry = queue.tasks.get(lease.id)
        held = entry is not None and entry.attempt == lease.attempt and entry.status is TaskStatus.PROCESSING
        if held and entry is not None:
            queue.hold(entry, (entry.started_ms or 0) + 1)
        return LeaseState.HELD if held else LeaseState.LOST

    return patch.object(settling, "extend", extend)


@_bug(Check.UNASKED_OUTCOME)
def buries_instead_of_retrying() -> Any:
    def make(original: Any) -> Any:
        def apply(queue: MemoryQueue, entry: Any, settlement: Any, now_ms: int) -> None:
            if settlement.outcome is Outcome.RETRY:
                settlement = msgspec.structs.replace(settlement, outcome=Outcome.BURY)
            original(queue, entry, settlement, now_ms)

        return apply

    return replaced(settling, "_apply", make)


@_bug(Check.UNKEPT_OUTCOME)
def says_yes_to_another_outcome_of_an_attempt_that_ended() -> Any:
    """And a worker that reports another one where it got no answer."""

    def make(original: Any) -> Any:
        def settle(queue: MemoryQueue, settlement: Any, now_ms: int) -> bool:
            entry = queue.tasks.get(settlement.id)
            same = entry is not None and entry.attempt == settlement.attempt
            return bool(original(queue, settlement, now_ms)) or same

        return settle

    def outcome(self: Simulation, task: ClaimedTask) -> Settlement:
        drawn = self._chance.choice([Outcome.COMPLETE, Outcome.RETRY, Outcome.BURY])
        return Settlement(task.queue, task.id, task.attempt, drawn, delay=0.25)

    return both(replaced(settling, "settle", make), patch.object(Simulation, "_outcome", outcome))


@_bug(Check.JOURNAL_MOVE)
def forgets_a_request_to_cancel() -> Any:
    def make(original: Any) -> Any:
        def apply(queue: MemoryQueue, entry: Any, settlement: Any, now_ms: int) -> None:
            entry.cancel_requested = False
            original(queue, entry, settlement, now_ms)

        return apply

    return replaced(settling, "_apply", make)
