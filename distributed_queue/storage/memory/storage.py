"""The verbs of the port, over dictionaries and heaps under one lock."""

from __future__ import annotations

import platform
import threading
import time
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core import counters
from distributed_queue.core.clock import Clock, ManualClock, SystemClock, ceil_ms, floor_ms
from distributed_queue.core.lifecycle import Event, TaskStatus
from distributed_queue.core.limits import overflow
from distributed_queue.core.storage import (
    BeatReply,
    Claim,
    ClaimedTask,
    ClaimRequest,
    Command,
    Durability,
    Exchange,
    JournalEntry,
    Lease,
    LeaseState,
    NewTask,
    Page,
    Promise,
    QueueConfig,
    QueueStats,
    Settlement,
    Storage,
    StorageHealth,
    StoredTask,
    TaskFilter,
    TaskUpdate,
    WorkerInfo,
    apply_config,
    check_queue_name,
)
from distributed_queue.core.waiting import Outlook, WaitingRoom
from distributed_queue.errors import InvalidStorageURL, QueueClosed, QueueFull
from distributed_queue.storage.memory import settling
from distributed_queue.storage.memory.journal import MemoryJournal
from distributed_queue.storage.memory.listing import decode_cursor, encode_cursor, page
from distributed_queue.storage.memory.queue import SECOND_MS, Entry, MemoryQueue
from distributed_queue.storage.memory.workers import WorkerRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROMISE = Promise(
    Durability.NONE,
    "Tasks are lost when this process ends.",
    dict.fromkeys(
        (Durability.STANDARD, Durability.DURABLE),
        "Name a storage that outlives the process: sqlite:///file.db, or a Redis that has AOF on.",
    )
    | {Durability.REPLICATED: "Name a Redis that has replicas."},
)


class MemoryStorage(Storage):
    """Everything in this process's memory."""

    url = "memory://"

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)
        self._queues: dict[str, MemoryQueue] = {}
        self._touched: dict[str, MemoryQueue] = {}
        """The queues that the step in progress has looked at."""
        self._journals: dict[str, MemoryJournal] = {}
        self._registry = WorkerRegistry()
        self._waiting = WaitingRoom()
        self._wakes = 0
        self._closed = False
        if isinstance(self._clock, ManualClock):
            self._clock.on_advance(self._waiting.notify_all)

    @classmethod
    def from_url(cls, url: str, clock: Clock | None = None) -> MemoryStorage:
        """``memory://``, and nothing after it."""
        if url != "memory://":
            raise InvalidStorageURL(f"{url!r:.100} has more than 'memory://': the memory engine has no options")
        return cls(clock)

    # Work

    def enqueue(self, tasks: Sequence[NewTask]) -> list[bool]:
        for name in {task.queue for task in tasks}:
            check_queue_name(name)
        with self._step() as now_ms:
            self._check_room(tasks)
            return [self._add(task, now_ms) for task in tasks]

    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        with self._step() as now_ms:
            settled = [settling.settle(self._queue(each.queue), each, now_ms) for each in settlements]
            for name in {each.queue for each in settlements}:
                self._queue(name).trim(now_ms)
            return Exchange(settled, self._claim(request, now_ms) if request else Claim([]))

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        with self._step() as now_ms:
            deadline_ms = now_ms + ceil_ms(lease_seconds)
            return [settling.extend(self._queue(lease.queue), lease, deadline_ms) for lease in leases]

    def wait(self, queues: Sequence[str], timeout: float) -> tuple[str, ...]:
        return self._waiting.wait(queues, timeout, lambda: self._outlook(queues))

    def wake(self) -> None:
        self._waiting.notify_all()
        with self._news:
            self._wakes += 1
            self._news.notify_all()

    # Reading

    def get(self, ids: Sequence[str], queue: str | None = None) -> list[StoredTask | None]:
        with self._open():
            searched = self._selected(None if queue is None else [queue])
            return [
                next(
                    (each.stored(each.tasks[task_id], with_history=True) for each in searched if task_id in each.tasks),
                    None,
                )
                for task_id in ids
            ]

    def find(self, where: TaskFilter, cursor: str | None = None, limit: int = 100) -> Page:
        after = None if cursor is None else decode_cursor(cursor)
        with self._open():
            searched = self._selected(None if where.queue is None else [where.queue])
            found, last = page(searched, where, after, limit)
            return Page([queue.stored(entry) for queue, entry in found], encode_cursor(last) if last else None)

    def stats(self, queues: Sequence[str] | None = None) -> list[QueueStats]:
        with self._open():
            now_ms = floor_ms(self._clock.now())
            return [queue.stats(now_ms) for queue in self._selected(queues)]

    def queues(self) -> tuple[str, ...]:
        with self._open():
            return tuple(sorted(self._queues))

    # Control

    def cancel(self, queue: str, ids: Sequence[str]) -> list[StoredTask | None]:
        with self._step() as now_ms:
            owner = self._queue(queue)
            entries = [owner.tasks.get(task_id) for task_id in ids]
            for entry in entries:
                if entry is not None:
                    settling.cancel(owner, entry, now_ms)
            return [None if entry is None else owner.stored(entry, with_history=True) for entry in entries]

    def requeue(self, queue: str, ids: Sequence[str], delays: Sequence[float] = ()) -> list[bool]:
        with self._step() as now_ms:
            owner = self._queue(queue)
            return [
                task_id in owner.tasks and settling.requeue(owner, owner.tasks[task_id], now_ms, ceil_ms(delay))
                for task_id, delay in zip_longest(ids, delays, fillvalue=0.0)
            ]

    def delete(self, queue: str, ids: Sequence[str]) -> list[bool]:
        with self._step():
            return [self._delete(self._queue(queue), task_id) for task_id in ids]

    def update(self, queue: str, task_id: str, changes: TaskUpdate) -> bool:
        with self._step() as now_ms:
            owner = self._queue(queue)
            entry = owner.tasks.get(task_id)
            return entry is not None and settling.update(owner, entry, changes, now_ms)

    def clear(self, queue: str) -> int:
        with self._step():
            owner = self._queue(queue)
            count = len(owner.tasks)
            owner.tasks.clear()
            owner.counts.clear()
            if count:
                owner.record(Event.CLEARED)
            return count

    def configure(self, queue: str, changes: dict[str, object]) -> QueueConfig:
        check_queue_name(queue)
        with self._step():
            owner = self._queue(queue)
            before = owner.config
            owner.config = apply_config(before, changes)
            if owner.config.paused != before.paused:
                owner.record(Event.PAUSED if owner.config.paused else Event.RESUMED)
            if msgspec.structs.replace(owner.config, paused=before.paused) != before:
                owner.record(Event.CONFIGURED)
            return owner.config

    # Workers

    def beat(self, worker: WorkerInfo) -> BeatReply:
        with self._open():
            return BeatReply(self._registry.beat(worker, self._clock.now()), tuple(sorted(self._queues)))

    def workers(self) -> list[WorkerInfo]:
        with self._open():
            return self._registry.alive(self._clock.now())

    def command(self, worker: str, command: Command) -> None:
        with self._open():
            self._registry.command(worker, command, self._clock.now())

    # Journal

    def journal(self, queue: str, after: int, limit: int, timeout: float = 0.0) -> list[JournalEntry]:
        end = time.monotonic() + timeout
        with self._news:
            wakes = self._wakes
            while True:
                self._check_open()
                journal = self._journals.get(queue)
                entries = journal.after(after, limit) if journal else []
                left = end - time.monotonic()
                if entries or left <= 0 or self._wakes != wakes:
                    return entries
                self._news.wait(left)

    def journal_tail(self, queue: str) -> int:
        with self._open():
            journal = self._journals.get(queue)
            return journal.tail if journal else 0

    # Life

    def health(self) -> StorageHealth:
        with self._open():
            return StorageHealth.of(
                _PROMISE,
                engine="memory",
                version=platform.python_version(),
                url=self.url,
                latency=0.0,
            )

    def promise(self) -> Promise:
        with self._open():
            return _PROMISE

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.wake()

    # How a step is made

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            self._check_open()
            yield

    @contextmanager
    def _step(self) -> Iterator[int]:
        """Hold the lock for one atomic step, at one time; then journal what it changed and wake who waits for it."""
        with self._lock:
            self._check_open()
            now_ms = floor_ms(self._clock.now())
            yield now_ms
            touched, self._touched = self._touched, {}
            for queue in touched.values():
                if queue.changes:
                    self._publish(queue, now_ms)

    def _publish(self, queue: MemoryQueue, now_ms: int) -> None:
        changes, queue.changes = queue.changes, []
        if queue.config.journal:
            journal = self._journals.get(queue.name)
            if journal is None:
                journal = self._journals[queue.name] = MemoryJournal()
            journal.append(now_ms / SECOND_MS, changes, queue.config)
        if queue.claimable(now_ms) or queue.next_due_ms(now_ms) is not None:
            self._waiting.notify(queue.name)
        self._news.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise QueueClosed("The storage was closed.")

    def _queue(self, name: str) -> MemoryQueue:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = MemoryQueue(name)
        self._touched[name] = queue
        return queue

    def _selected(self, names: Sequence[str] | None) -> list[MemoryQueue]:
        chosen = sorted(self._queues) if names is None else sorted(set(names) & self._queues.keys())
        return [self._queues[name] for name in chosen]

    def _check_room(self, tasks: Sequence[NewTask]) -> None:
        for name in dict.fromkeys(task.queue for task in tasks):
            queue = self._queue(name)
            limit = queue.config.max_size
            if limit is not None:
                arriving = {task.id for task in tasks if task.queue == name} - queue.tasks.keys()
                if arriving and overflow(queue.depth, len(arriving), limit):
                    raise QueueFull(name, queue.depth, limit)

    def _add(self, task: NewTask, now_ms: int) -> bool:
        queue = self._queue(task.queue)
        if task.id in queue.tasks:
            queue.count(counters.DEDUPLICATED, task.type)
            return False
        queue.add(task, now_ms)
        return True

    def _delete(self, queue: MemoryQueue, task_id: str) -> bool:
        entry = queue.tasks.get(task_id)
        if entry is None or entry.status is TaskStatus.PROCESSING:
            return False
        queue.record(Event.DELETED, entry)
        queue.forget(entry)
        return True

    def _claim(self, request: ClaimRequest, now_ms: int) -> Claim:
        deadline_ms = now_ms + ceil_ms(request.lease_seconds)
        claimed: list[ClaimedTask] = []
        foreseen: list[float] = []
        for name in request.queues:
            queue = self._queue(name)
            queue.sweep(now_ms)
            taken = queue.take(request.limit - len(claimed), request.worker_id, deadline_ms, now_ms)
            claimed += [self._claimed(queue, entry) for entry in taken]
            due_ms = queue.next_due_ms(now_ms)
            if due_ms is not None:
                foreseen.append(due_ms)
            if queue.claimable(now_ms):
                # More than this one takes: the next waiter's turn.
                self._waiting.notify(name)
        return Claim(claimed, min(foreseen) / SECOND_MS if foreseen else None)

    def _claimed(self, queue: MemoryQueue, entry: Entry) -> ClaimedTask:
        return ClaimedTask(
            queue.name,
            entry.id,
            entry.attempt,
            entry.priority,
            entry.body,
            entry.failures,
            entry.crashes,
            entry.created_ms / SECOND_MS,
            (entry.started_ms or 0) / SECOND_MS,
            None if entry.expires_ms is None else entry.expires_ms / SECOND_MS,
        )

    def _outlook(self, names: Sequence[str]) -> Outlook:
        with self._open():
            now_ms = floor_ms(self._clock.now())
            queues = self._selected(names)
            due_ms = [due for due in (queue.next_due_ms(now_ms) for queue in queues) if due is not None]
            return Outlook(
                tuple(queue.name for queue in queues if queue.claimable(now_ms)),
                # A millisecond at least: the present is rounded down.
                max(1.0, min(due_ms)) / SECOND_MS if due_ms else None,
            )
