"""One queue's state and its transitions. Not thread-safe: the storage holds its lock around every call."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core import counters
from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.history import HISTORY_LIMIT, AttemptOutcome, StoredAttempt, history_of
from distributed_queue.core.lifecycle import FINISHED, WAITING, WORDS, Event, TaskStatus
from distributed_queue.core.limits import concurrency_room, default_burst, gcra
from distributed_queue.core.storage import DUE_LIMIT, SWEEP_LIMIT, Change, NewTask, QueueConfig, QueueStats, StoredTask
from distributed_queue.storage.memory.heap import LazyHeap

if TYPE_CHECKING:
    from collections.abc import Iterable

SECOND_MS = 1000
_RETAINED = FINISHED - {TaskStatus.DEAD}
_DUE = frozenset({TaskStatus.SCHEDULED, TaskStatus.RETRYING})
_FINISHED = {status: f"{counters.FINISHED}.{status}" for status in FINISHED}
"""Names of counters."""
# Members by name of their own: up to Python 3.11, looking one up on its class costs more than comparing it.
_PENDING, _PROCESSING = TaskStatus.PENDING, TaskStatus.PROCESSING


class Entry(msgspec.Struct, gc=False):
    """A task as this engine keeps it, in no cycle, so that the garbage collector may pass. Times in milliseconds."""

    id: str
    type: str
    priority: int
    body: bytes
    status: TaskStatus
    created_ms: int
    ready_ms: int
    expires_ms: int | None
    due_ms: int | None = None
    sequence: int = 0
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    started_ms: int | None = None
    finished_ms: int | None = None
    deadline_ms: int | None = None
    worker_id: str | None = None
    """Who has, or last had, the lease."""
    cancel_requested: bool = False
    result: bytes | None = None
    error: bytes | None = None
    reason: str | None = None
    progress: bytes | None = None
    history: tuple[StoredAttempt, ...] = ()
    """One for each value of the attempt modulo ``HISTORY_LIMIT``."""


class MemoryQueue:
    """Tasks of one queue, their indexes, counters and the changes of the step in progress."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.config = QueueConfig()
        self.tasks: dict[str, Entry] = {}
        self.counts: Counter[TaskStatus] = Counter()
        self.changes: list[Change] = []
        self._counted: dict[str, dict[str, int]] = {}
        """What was counted, by task type."""
        self._types: set[str] = set()
        self._sequence = 0
        self._tat_ms = 0.0
        self._ready: LazyHeap[tuple[int, int, str]] = LazyHeap(self._is_ready)
        self._due: LazyHeap[tuple[int, str]] = LazyHeap(self._is_due)
        self._leases: LazyHeap[tuple[int, str]] = LazyHeap(self._is_leased)
        self._expiring: LazyHeap[tuple[int, str]] = LazyHeap(self._is_expiring)
        self._finished: LazyHeap[tuple[int, str]] = LazyHeap(self._is_retained)

    # What the limits say

    @property
    def depth(self) -> int:
        """Tasks that have still to run."""
        return sum(self.counts[state] for state in WAITING)

    def room(self, wanted: int) -> int:
        """How many tasks pause, concurrency and backlog let through, rate aside."""
        if self.config.paused:
            return 0
        room = concurrency_room(self.counts[TaskStatus.PROCESSING], self.config.concurrency)
        return min(wanted, self.counts[TaskStatus.PENDING], wanted if room is None else room)

    def rate_decision(self, now_ms: int, wanted: int) -> tuple[int, float, float]:
        """``gcra`` for this queue: allowed, new state, milliseconds until one more."""
        rate = self.config.rate_limit
        if rate is None:
            return wanted, self._tat_ms, 0.0
        return gcra(now_ms, self._tat_ms, wanted, rate, self.config.rate_burst or default_burst(rate))

    def claimable(self, now_ms: int) -> bool:
        """Whether a claim would give, or change, something now."""
        lease, due = self._leases.peek(), self._due.peek()
        if lease and lease[0] <= now_ms:
            return True
        if self.config.paused:
            return False
        if due and due[0] <= now_ms:
            return True
        return self.room(1) > 0 and self.rate_decision(now_ms, 1)[0] > 0

    def next_due_ms(self, now_ms: int) -> float | None:
        """When claiming again may give more, in milliseconds from now; None if nothing is foreseen."""
        foreseen: list[float] = []
        lease, due = self._leases.peek(), self._due.peek()
        if lease:
            foreseen.append(lease[0] - now_ms)
        if due and not self.config.paused:
            foreseen.append(due[0] - now_ms)
        if self.room(1):
            foreseen.append(self.rate_decision(now_ms, 0)[2])
        return max(0.0, min(foreseen)) if foreseen else None

    # Transitions

    def add(self, task: NewTask, now_ms: int) -> Entry:
        """Store a new task."""
        due_ms = 0 if task.execute_after is None else ceil_ms(task.execute_after)
        if task.delay:
            due_ms = max(due_ms, now_ms + ceil_ms(task.delay))
        expires_ms = ceil_ms(task.expires_at) if task.expires_at is not None else None
        entry = Entry(task.id, task.type, task.priority, task.body, _PENDING, now_ms, now_ms, expires_ms)
        self.tasks[task.id] = entry
        self.record(Event.ENQUEUED, entry)
        self.count(counters.ENQUEUED, task.type)
        self.counts[entry.status] += 1
        if due_ms > now_ms:
            self.postpone(entry, TaskStatus.SCHEDULED, due_ms)
        else:
            self.make_ready(entry, now_ms)
        if entry.expires_ms is not None:
            self._expiring.push((entry.expires_ms, entry.id))
        return entry

    def move(self, entry: Entry, status: TaskStatus) -> None:
        """Change a task's state and the counts."""
        self.counts[entry.status] -= 1
        self.counts[status] += 1
        entry.status = status

    def make_ready(self, entry: Entry, ready_ms: int, *, keep_place: bool = False) -> None:
        """Let a task be claimed, at the end of its priority or at its old place."""
        self.move(entry, _PENDING)
        if not keep_place:
            self._sequence += 1
            entry.sequence = self._sequence
        entry.due_ms = None
        entry.ready_ms = ready_ms
        entry.deadline_ms = None
        self.index_ready(entry)
        if entry.expires_ms is not None:
            self._expiring.push((entry.expires_ms, entry.id))

    def index_ready(self, entry: Entry) -> None:
        """Put a pending task in line, after its priority changed."""
        self._ready.push((entry.priority, entry.sequence, entry.id))

    def postpone(self, entry: Entry, status: TaskStatus, due_ms: int) -> None:
        """Let a task become ready later."""
        self.move(entry, status)
        entry.due_ms = due_ms
        entry.deadline_ms = None
        self._due.push((due_ms, entry.id))
        if entry.expires_ms is not None:
            self._expiring.push((entry.expires_ms, entry.id))

    def finish(self, entry: Entry, status: TaskStatus, now_ms: int) -> None:
        """End a task's life, until someone requeues it."""
        self.move(entry, status)
        entry.due_ms = None
        entry.finished_ms = now_ms
        entry.deadline_ms = None
        self.count(_FINISHED[status], entry.type)
        if status in _RETAINED:
            self._finished.push((now_ms, entry.id))

    def forget(self, entry: Entry) -> None:
        """Remove a task; stale index entries are skipped later."""
        self.counts[entry.status] -= 1
        del self.tasks[entry.id]

    def hold(self, entry: Entry, deadline_ms: int) -> None:
        """Open or extend a lease."""
        entry.deadline_ms = deadline_ms
        self._leases.push((deadline_ms, entry.id))

    # The sweep that opens each claim

    def sweep(self, now_ms: int) -> None:
        """Take back lost leases, expire, promote, trim. See ``Storage.exchange``."""
        for entry in self._until(self._leases, now_ms):
            self._lease_ran_out(entry, now_ms)
        for entry in self._until(self._expiring, now_ms):
            self._expire(entry, now_ms)
        for entry in self._until(self._due, now_ms):
            self.record(Event.DUE, entry)
            self.make_ready(entry, entry.due_ms or now_ms)
        self.trim(now_ms)

    def trim(self, now_ms: int) -> None:
        """Forget finished tasks whose retention is over."""
        oldest_kept = now_ms - ceil_ms(self.config.retention_seconds)
        surplus = sum(self.counts[state] for state in _RETAINED) - self.config.retention_count
        for _ in range(SWEEP_LIMIT):
            key = self._finished.peek()
            if key is None or (key[0] > oldest_kept and surplus <= 0):
                return
            self._finished.pop()
            self.forget(self.tasks[key[1]])
            surplus -= 1

    def take(self, wanted: int, worker_id: str, deadline_ms: int, now_ms: int) -> list[Entry]:
        """Claim ready tasks in order, as far as the limits allow."""
        allowed = self.rate_decision(now_ms, self.room(wanted))[0]
        taken: list[Entry] = []
        while len(taken) < allowed:
            key = self._ready.pop()
            if key is None:
                break
            entry = self.tasks[key[2]]
            if entry.expires_ms is not None and entry.expires_ms <= now_ms:
                self._expire(entry, now_ms)
                continue
            self._start(entry, worker_id, deadline_ms, now_ms)
            taken.append(entry)
        self._tat_ms = self.rate_decision(now_ms, len(taken))[1]
        return taken

    # Bookkeeping

    def record(self, event: Event, entry: Entry | None = None, detail: str = "") -> None:
        """Note a change for the journal entry of this step."""
        if entry is None:
            self.changes.append(Change(WORDS[event], detail=detail))
        else:
            self.changes.append(Change(WORDS[event], entry.id, entry.attempt, detail))

    def count(self, what: str, task_type: str = "", by: int = 1) -> None:
        """Add to a counter."""
        counted = self._counted.get(task_type)
        if counted is None:
            counted = self._counted_together(task_type)
        counted[what] = counted.get(what, 0) + by

    def _counted_together(self, task_type: str) -> dict[str, int]:
        """The counters for a type that has none of its own yet; types beyond the limit are counted together."""
        if task_type and task_type not in self._types:
            if len(self._types) >= counters.MAX_TYPES:
                task_type = counters.OTHER_TYPE
            else:
                self._types.add(task_type)
        return self._counted.setdefault(task_type, {})

    def counters(self) -> dict[str, int]:
        """All counters, by name."""
        return {
            counters.name(what, task_type): value
            for task_type, counted in self._counted.items()
            for what, value in counted.items()
        }

    def observe(self, what: str, task_type: str, milliseconds: int) -> None:
        """Add to a histogram."""
        milliseconds = max(0, milliseconds)
        self.count(counters.bucket_of(what, milliseconds), task_type)
        self.count(counters.SUMS[what], task_type, milliseconds)

    def keep_attempt(self, entry: Entry, outcome: AttemptOutcome, note: bytes | None, now_ms: int) -> None:
        """Put the latest attempt into the task's history, with what was noted of it before where nothing is now."""
        if note is None:
            note = next((each.note for each in entry.history if each.attempt == entry.attempt), None)
        others = [each for each in entry.history if (entry.attempt - each.attempt) % HISTORY_LIMIT]
        started_at = (now_ms if entry.started_ms is None else entry.started_ms) / SECOND_MS
        kept = StoredAttempt(entry.attempt, outcome, started_at, now_ms / SECOND_MS, entry.worker_id, note)
        entry.history = (*others, kept)

    def oldest_ready(self) -> Entry | None:
        """The task at the head of the line."""
        key = self._ready.peek()
        return self.tasks[key[2]] if key else None

    def stats(self, now_ms: int) -> QueueStats:
        """Figures at a moment."""
        head = self.oldest_ready()
        # A task that was postponed twice to the same time is in the heap twice.
        due = [self.tasks[task_id] for _, task_id in set(self._due.until((now_ms + 1, ""), DUE_LIMIT))]
        longest = min((entry.due_ms or now_ms for entry in due), default=None)
        return QueueStats.at(
            self.name,
            dict(self.counts),
            self.config,
            due=Counter(entry.status for entry in due),
            ready_age=None if head is None else (now_ms - head.ready_ms) / SECOND_MS,
            due_age=None if longest is None else (now_ms - longest) / SECOND_MS,
            counters=self.counters(),
        )

    def stored(self, entry: Entry, *, with_history: bool = False) -> StoredTask:
        """The task as the port describes it."""
        running = entry.status is TaskStatus.PROCESSING
        started_at, finished_at = _seconds(entry.started_ms), _seconds(entry.finished_ms)
        history: tuple[StoredAttempt, ...] = ()
        if with_history:
            history = history_of(
                entry.history,
                status=entry.status,
                attempt=entry.attempt,
                started_at=started_at,
                finished_at=finished_at,
                worker_id=entry.worker_id,
            )
        return StoredTask(
            queue=self.name,
            id=entry.id,
            type=entry.type,
            status=entry.status,
            priority=entry.priority,
            body=entry.body,
            attempt=entry.attempt,
            failures=entry.failures,
            crashes=entry.crashes,
            created_at=entry.created_ms / SECOND_MS,
            due_at=_seconds(entry.due_ms),
            expires_at=_seconds(entry.expires_ms),
            started_at=started_at,
            finished_at=finished_at,
            worker_id=entry.worker_id if running else None,
            lease_expires_at=_seconds(entry.deadline_ms) if running else None,
            cancel_requested=entry.cancel_requested,
            result=entry.result,
            error=entry.error,
            reason=entry.reason,
            progress=entry.progress,
            history=history,
        )

    def _start(self, entry: Entry, worker_id: str, deadline_ms: int, now_ms: int) -> None:
        self.move(entry, _PROCESSING)
        entry.attempt += 1
        entry.worker_id = worker_id
        entry.started_ms = now_ms
        entry.progress = None
        self.hold(entry, deadline_ms)
        self.record(Event.CLAIMED, entry, worker_id)
        self.count(counters.STARTED, entry.type)
        self.observe(counters.WAIT, entry.type, now_ms - entry.ready_ms)

    def _lease_ran_out(self, entry: Entry, now_ms: int) -> None:
        entry.crashes += 1
        self.keep_attempt(entry, AttemptOutcome.CRASHED, None, now_ms)
        self.record(Event.LEASE_EXPIRED, entry)
        self.count(counters.LOST, entry.type)
        if entry.cancel_requested:
            self.record(Event.CANCELLED, entry)
            self.finish(entry, TaskStatus.CANCELLED, now_ms)
        elif entry.crashes >= self.config.max_crashes:
            entry.reason = "crashed"
            self.count(counters.POISONED, entry.type)
            self.record(Event.DEAD, entry, "crashed")
            self.finish(entry, TaskStatus.DEAD, now_ms)
        else:
            self.make_ready(entry, now_ms, keep_place=True)

    def _expire(self, entry: Entry, now_ms: int) -> None:
        self.record(Event.EXPIRED, entry)
        self.finish(entry, TaskStatus.EXPIRED, now_ms)

    def _until(self, heap: LazyHeap[tuple[int, str]], now_ms: int) -> Iterable[Entry]:
        """Take up to ``SWEEP_LIMIT`` tasks whose time has come."""
        for _ in range(SWEEP_LIMIT):
            key = heap.peek()
            if key is None or key[0] > now_ms:
                return
            heap.pop()
            yield self.tasks[key[1]]

    def _is_ready(self, key: tuple[int, int, str]) -> bool:
        entry = self.tasks.get(key[2])
        return entry is not None and entry.status is _PENDING and entry.sequence == key[1] and entry.priority == key[0]

    def _is_due(self, key: tuple[int, str]) -> bool:
        entry = self.tasks.get(key[1])
        return entry is not None and entry.status in _DUE and entry.due_ms == key[0]

    def _is_leased(self, key: tuple[int, str]) -> bool:
        entry = self.tasks.get(key[1])
        return entry is not None and entry.status is _PROCESSING and entry.deadline_ms == key[0]

    def _is_expiring(self, key: tuple[int, str]) -> bool:
        entry = self.tasks.get(key[1])
        return entry is not None and entry.status in WAITING and entry.expires_ms == key[0]

    def _is_retained(self, key: tuple[int, str]) -> bool:
        entry = self.tasks.get(key[1])
        return entry is not None and entry.status in _RETAINED and entry.finished_ms == key[0]


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / SECOND_MS
