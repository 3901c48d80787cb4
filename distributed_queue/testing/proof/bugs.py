"""Seeded bugs: switches that each break one rule of the memory engine, for tests only.

A green run means something only if the same run turns red when a rule is broken. Each bug is a patch that lasts as long
as its context manager; ``BUGS`` names them and the checks of which at least one has to notice.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from distributed_queue.core.lifecycle import Event, TaskStatus
from distributed_queue.core.storage import Lease, LeaseState, Outcome
from distributed_queue.errors import QueueFull
from distributed_queue.storage.memory import settling
from distributed_queue.storage.memory.journal import MemoryJournal
from distributed_queue.storage.memory.queue import MemoryQueue
from distributed_queue.storage.memory.storage import MemoryStorage
from distributed_queue.testing.proof.violations import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATCHES: dict[str, tuple[frozenset[Check], Callable[[], Any]]] = {}


@dataclass(frozen=True)
class Bug:
    """A rule that can be broken."""

    name: str
    caught_by: frozenset[Check]
    """The checks that are about this rule; a run with the bug has to fail one of them."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Break the rule for a while, in this process."""
        with _PATCHES[self.name][1]():
            yield


def _bug(*caught_by: Check) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        _PATCHES[make.__name__] = (frozenset(caught_by), make)
        return make

    return register


def _method(owner: Any, name: str, make: Callable[[Any], Any]) -> Any:
    """Replace a function by what ``make`` makes of the original."""
    return patch.object(owner, name, make(getattr(owner, name)))


# Enqueue


@_bug(Check.LOST)
def acknowledges_before_it_writes() -> Any:
    def make(original: Any) -> Any:
        def add(self: MemoryStorage, task: Any, now_ms: int) -> bool:
            return True if hash(task.id) % 20 == 0 else original(self, task, now_ms)

        return add

    return _method(MemoryStorage, "_add", make)


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

    return _method(MemoryStorage, "enqueue", make)


@_bug(Check.STORED_TWICE)
def stores_a_known_id_again() -> Any:
    def make(_: Any) -> Any:
        def add(self: MemoryStorage, task: Any, now_ms: int) -> bool:
            self._queue(task.queue).add(task, now_ms)
            return True

        return add

    return _method(MemoryStorage, "_add", make)


@_bug(Check.STORED_TWICE)
def says_new_for_a_known_id() -> Any:
    return _method(MemoryStorage, "_add", lambda original: lambda self, task, now: original(self, task, now) or True)


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

    return _method(MemoryQueue, "postpone", make)


# Claim


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

    return _both(_method(MemoryQueue, "_start", make), patch.object(MemoryQueue, "_is_ready", ready))


@_bug(Check.UNFINISHED, Check.STATE, Check.LOST)
def takes_in_one_step_and_leases_in_another() -> Any:
    """The process dies between the two, now and then."""

    def make(original: Any) -> Any:
        def take(self: MemoryQueue, wanted: int, *rest: Any) -> Any:
            if wanted and self._sequence % 13 == 0:
                self._ready.pop()
            return original(self, wanted, *rest)

        return take

    return _method(MemoryQueue, "take", make)


@_bug(Check.ATTEMPTS)
def forgets_to_count_the_attempt() -> Any:
    def make(original: Any) -> Any:
        def start(self: MemoryQueue, entry: Any, *rest: Any) -> None:
            entry.attempt = max(0, entry.attempt - 1)
            original(self, entry, *rest)

        return start

    return _method(MemoryQueue, "_start", make)


@_bug(Check.ATTEMPTS)
def counts_the_attempt_twice() -> Any:
    def make(original: Any) -> Any:
        def start(self: MemoryQueue, entry: Any, *rest: Any) -> None:
            entry.attempt += 1
            original(self, entry, *rest)

        return start

    return _method(MemoryQueue, "_start", make)


@_bug(Check.ORDER)
def runs_the_latest_first() -> Any:
    def make(original: Any) -> Any:
        def ready(self: MemoryQueue, entry: Any, ready_ms: int, *, keep_place: bool = False) -> None:
            self._sequence -= 2
            original(self, entry, ready_ms, keep_place=keep_place)

        return ready

    return _method(MemoryQueue, "make_ready", make)


@_bug(Check.ORDER)
def ignores_priority() -> Any:
    def index(self: MemoryQueue, entry: Any) -> None:
        self._ready.push((0, entry.sequence, entry.id))

    def ready(self: MemoryQueue, key: tuple[int, int, str]) -> bool:
        entry = self.tasks.get(key[2])
        return entry is not None and entry.status is TaskStatus.PENDING and entry.sequence == key[1]

    return _both(patch.object(MemoryQueue, "index_ready", index), patch.object(MemoryQueue, "_is_ready", ready))


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

    return _method(MemoryQueue, "take", make)


@_bug(Check.PAUSED)
def claims_from_a_paused_queue() -> Any:
    def room(self: MemoryQueue, wanted: int) -> int:
        return min(wanted, self.counts[TaskStatus.PENDING])

    return patch.object(MemoryQueue, "room", room)


@_bug(Check.EXPIRED_RUN)
def runs_expired_tasks() -> Any:
    return patch.object(MemoryQueue, "_expire", lambda self, entry, _now: _unexpire(self, entry))


# Leases


@_bug(Check.LEASE_OVERLAP)
def trusts_a_clock_that_is_ahead() -> Any:
    """The sweep takes leases back five seconds early, as a client whose clock is ahead would."""

    def make(original: Any) -> Any:
        def until(self: MemoryQueue, heap: Any, now_ms: int) -> Any:
            return original(self, heap, now_ms + 5000 if heap is self._leases else now_ms)

        return until

    return _method(MemoryQueue, "_until", make)


@_bug(Check.EARLY)
def promotes_by_a_clock_that_is_ahead() -> Any:
    def make(original: Any) -> Any:
        def until(self: MemoryQueue, heap: Any, now_ms: int) -> Any:
            return original(self, heap, now_ms + 500 if heap is self._due else now_ms)

        return until

    return _method(MemoryQueue, "_until", make)


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

    return _method(MemoryQueue, "make_ready", make)


@_bug(Check.CRASH_LIMIT)
def lets_a_task_crash_for_ever() -> Any:
    def make(original: Any) -> Any:
        def ran_out(self: MemoryQueue, entry: Any, now_ms: int) -> None:
            real, entry.crashes = entry.crashes, -100
            original(self, entry, now_ms)
            entry.crashes = real + 1

        return ran_out

    return _method(MemoryQueue, "_lease_ran_out", make)


@_bug(Check.CRASH_LIMIT)
def buries_after_the_first_crash() -> Any:
    def make(original: Any) -> Any:
        def ran_out(self: MemoryQueue, entry: Any, now_ms: int) -> None:
            entry.crashes = 100
            original(self, entry, now_ms)

        return ran_out

    return _method(MemoryQueue, "_lease_ran_out", make)


# Settle


@_bug(Check.STALE_OUTCOME, Check.SECOND_OUTCOME, Check.UNKEPT_OUTCOME)
def drops_the_token_check() -> Any:
    def make(original: Any) -> Any:
        def settle(queue: MemoryQueue, settlement: Any, now_ms: int) -> bool:
            entry = queue.tasks.get(settlement.id)
            if entry is not None and entry.status is TaskStatus.PROCESSING and entry.attempt != settlement.attempt:
                settling._apply(queue, entry, settlement, now_ms)
                return True
            return bool(original(queue, settlement, now_ms))

        return settle

    return _method(settling, "settle", make)


@_bug(Check.STALE_OUTCOME)
def accepts_an_outcome_after_the_lease_ran_out() -> Any:
    def make(original: Any) -> Any:
        def settle(queue: MemoryQueue, settlement: Any, now_ms: int) -> bool:
            entry = queue.tasks.get(settlement.id)
            if entry is not None and entry.status is TaskStatus.PENDING and entry.attempt == settlement.attempt:
                settling._apply(queue, entry, settlement, now_ms)
                return True
            return bool(original(queue, settlement, now_ms))

        return settle

    return _method(settling, "settle", make)


@_bug(Check.UNKEPT_OUTCOME)
def says_yes_to_a_stale_outcome() -> Any:
    return _method(settling, "settle", lambda original: lambda *args: original(*args) or True)


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

    return _method(settling, "settle", make)


@_bug(Check.WRONG_RESULT)
def loses_the_result() -> Any:
    def make(original: Any) -> Any:
        def apply(queue: MemoryQueue, entry: Any, settlement: Any, now_ms: int) -> None:
            original(queue, entry, settlement, now_ms)
            entry.result = None

        return apply

    return _method(settling, "_apply", make)


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

    return _method(settling, "settle", make)


@_bug(Check.UNFINISHED, Check.STATE, Check.LOST)
def forgets_a_task_that_failed() -> Any:
    def make(original: Any) -> Any:
        def postpone(self: MemoryQueue, entry: Any, status: TaskStatus, due_ms: int) -> None:
            original(self, entry, status, due_ms)
            if entry.attempt:
                self.forget(entry)

        return postpone

    return _method(MemoryQueue, "postpone", make)


@_bug(Check.EARLY)
def retries_without_the_delay() -> Any:
    def make(original: Any) -> Any:
        def postpone(self: MemoryQueue, entry: Any, status: TaskStatus, due_ms: int) -> None:
            original(self, entry, status, due_ms if entry.attempt == 0 else (entry.started_ms or 0))

        return postpone

    return _method(MemoryQueue, "postpone", make)


@_bug(Check.ORDER)
def sends_a_released_task_to_the_end_of_the_line() -> Any:
    def make(original: Any) -> Any:
        def ready(self: MemoryQueue, entry: Any, ready_ms: int, *, keep_place: bool = False) -> None:
            original(self, entry, ready_ms, keep_place=keep_place and entry.crashes > 0)

        return ready

    return _method(MemoryQueue, "make_ready", make)


@_bug(Check.LEASE_OVERLAP, Check.DUPLICATE_RUN, Check.UNKEPT_OUTCOME)
def ends_a_lease_that_was_extended() -> Any:
    def extend(queue: MemoryQueue, lease: Lease, _deadline_ms: int) -> LeaseState:
        entry = queue.tasks.get(lease.id)
        held = entry is not None and entry.attempt == lease.attempt and entry.status is TaskStatus.PROCESSING
        if held and entry is not None:
            queue.hold(entry, (entry.started_ms or 0) + 1)
        return LeaseState.HELD if held else LeaseState.LOST

    return patch.object(settling, "extend", extend)


# Control and retention


@_bug(Check.JOURNAL_MOVE, Check.STALE_OUTCOME)
def runs_cancelled_tasks() -> Any:
    def ready(self: MemoryQueue, key: tuple[int, int, str]) -> bool:
        entry = self.tasks.get(key[2])
        return entry is not None and entry.status in (TaskStatus.PENDING, TaskStatus.CANCELLED)

    return patch.object(MemoryQueue, "_is_ready", ready)


@_bug(Check.UNFINISHED, Check.STATE)
def loses_a_task_whose_priority_changes() -> Any:
    def make(original: Any) -> Any:
        def update(queue: MemoryQueue, entry: Any, changes: Any) -> bool:
            with patch.object(MemoryQueue, "index_ready", lambda _self, _entry: None):
                return bool(original(queue, entry, changes))

        return update

    return _method(settling, "update", make)


@_bug(Check.CRASH_LIMIT)
def keeps_the_crashes_of_a_requeued_task() -> Any:
    def make(original: Any) -> Any:
        def requeue(queue: MemoryQueue, entry: Any, now_ms: int) -> bool:
            crashes = entry.crashes
            done = bool(original(queue, entry, now_ms))
            entry.crashes = max(crashes, 2)
            return done

        return requeue

    return _method(settling, "requeue", make)


@_bug(Check.LOST, Check.STATE)
def trims_tasks_that_are_not_old() -> Any:
    def make(original: Any) -> Any:
        def finish(self: MemoryQueue, entry: Any, status: TaskStatus, now_ms: int) -> None:
            original(self, entry, status, now_ms)
            if self._sequence % 7 == 0:
                self.forget(entry)

        return finish

    return _method(MemoryQueue, "finish", make)


# Journal


@_bug(Check.JOURNAL_MOVE, Check.STATE, Check.LOST)
def leaves_steps_out_of_the_journal() -> Any:
    def make(original: Any) -> Any:
        def append(self: MemoryJournal, at: float, changes: Any, config: Any) -> None:
            if len(changes) != 1:
                original(self, at, changes, config)

        return append

    return _method(MemoryJournal, "append", make)


@_bug(Check.JOURNAL_GAP)
def skips_a_position() -> Any:
    def make(original: Any) -> Any:
        def append(self: MemoryJournal, at: float, changes: Any, config: Any) -> None:
            self.tail += self.tail % 11 == 0
            original(self, at, changes, config)

        return append

    return _method(MemoryJournal, "append", make)


@_bug(Check.STORED_TWICE, Check.JOURNAL_MOVE, Check.LEASE_OVERLAP, Check.SECOND_OUTCOME, Check.STALE_OUTCOME)
def journals_a_step_twice() -> Any:
    def make(original: Any) -> Any:
        def append(self: MemoryJournal, at: float, changes: Any, config: Any) -> None:
            original(self, at, changes, config)
            if self.tail % 17 == 0:
                original(self, at, changes, config)

        return append

    return _method(MemoryJournal, "append", make)


def _unexpire(queue: MemoryQueue, entry: Any) -> None:
    """Let a task that has expired run all the same."""
    entry.expires_ms = None
    if entry.status is TaskStatus.PENDING:
        queue.index_ready(entry)


@contextmanager
def _both(*patches: Any) -> Iterator[None]:
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


BUGS = tuple(Bug(name, caught_by) for name, (caught_by, _) in _PATCHES.items())
"""All of them."""
