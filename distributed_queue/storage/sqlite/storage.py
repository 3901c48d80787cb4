"""The verbs of the port, on one SQLite file."""

from __future__ import annotations

import os
import time
import weakref
from typing import TYPE_CHECKING, TypeVar

import apsw

from distributed_queue.core.clock import Clock, ManualClock, SystemClock, floor_ms
from distributed_queue.core.storage import (
    BeatReply,
    Claim,
    ClaimRequest,
    Command,
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
    check_queue_name,
)
from distributed_queue.core.waiting import Outlook
from distributed_queue.storage.sqlite import (
    claiming,
    control,
    durability,
    enqueueing,
    journal,
    listing,
    reading,
    retention,
    settling,
    workers,
)
from distributed_queue.storage.sqlite.connection import check_version, create_file
from distributed_queue.storage.sqlite.hub import Hub
from distributed_queue.storage.sqlite.location import Location, parse_url
from distributed_queue.storage.sqlite.mending import mended
from distributed_queue.storage.sqlite.readers import Readers
from distributed_queue.storage.sqlite.rows import SECOND_MS
from distributed_queue.storage.sqlite.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from distributed_queue.storage.sqlite.step import Step

T = TypeVar("T")


class SQLiteStorage(Storage):
    """A client of one file. Any number of threads and processes of one machine may have one."""

    def __init__(self, location: Location, clock: Clock | None = None) -> None:
        check_version()
        create_file(location)
        self.url = location.url
        self._location = location
        self._clock = clock or SystemClock()
        self._readers = Readers(location)
        self._writer = Writer(location, self._clock, self._publish)
        self._writer.open()
        self._hub = Hub.join(location)  # last: a file that is refused has no members
        _open_storages.add(self)
        if isinstance(self._clock, ManualClock):
            self._clock.on_advance(self._clock_moved)

    @classmethod
    def from_url(cls, url: str, clock: Clock | None = None) -> SQLiteStorage:
        """``sqlite:///relative.db``, ``sqlite:////absolute.db``, with ``?synchronous=full`` (default) or ``normal``."""
        return cls(parse_url(url), clock)

    def _write(self, operation: Callable[[Step], T]) -> T:
        return mended(lambda: self._writer.run(operation), self._writer.run)

    # Work

    def enqueue(self, tasks: Sequence[NewTask]) -> list[bool]:
        for name in {task.queue for task in tasks}:
            check_queue_name(name)
        return self._write(lambda step: enqueueing.enqueue(step, tasks))

    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        def operation(step: Step) -> Exchange:
            settled = settling.settle(step, settlements)
            return Exchange(settled, claiming.claim(step, request) if request else Claim([]))

        answer = self._write(operation)
        if request is not None and answer.claim.next_due == 0.0:
            # More than this one takes: the next waiter's turn.
            self._publish(dict.fromkeys(request.queues, True))
        return answer

    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        return self._write(lambda step: settling.extend(step, leases, lease_seconds))

    def wait(self, queues: Sequence[str], timeout: float) -> tuple[str, ...]:
        with self._hub.watched():
            return self._hub.room.wait(queues, timeout, lambda: self._outlook(queues))

    def wake(self) -> None:
        self._hub.wake()

    # Reading

    def get(self, ids: Sequence[str], queue: str | None = None) -> list[StoredTask | None]:
        return mended(lambda: reading.get(self._readers.read, ids, queue), self._writer.run)

    def find(self, where: TaskFilter, cursor: str | None = None, limit: int = 100) -> Page:
        after = None if cursor is None else listing.decode_cursor(cursor)

        def look() -> Page:
            with self._readers.snapshot() as read:
                return listing.find(read, where, after, limit)

        return mended(look, self._writer.run)

    def stats(self, queues: Sequence[str] | None = None) -> list[QueueStats]:
        with self._readers.snapshot() as read:
            return reading.stats(read, queues, floor_ms(self._clock.now()))

    def queues(self) -> tuple[str, ...]:
        return reading.queue_names(self._readers.read)

    # Control

    def cancel(self, queue: str, ids: Sequence[str]) -> list[StoredTask | None]:
        return self._write(lambda step: control.cancel(step, queue, ids))

    def requeue(self, queue: str, ids: Sequence[str], delays: Sequence[float] = ()) -> list[bool]:
        return self._write(lambda step: control.requeue(step, queue, ids, delays))

    def delete(self, queue: str, ids: Sequence[str]) -> list[bool]:
        return self._write(lambda step: control.delete(step, queue, ids))

    def update(self, queue: str, task_id: str, changes: TaskUpdate) -> bool:
        return self._write(lambda step: control.update(step, queue, task_id, changes))

    def clear(self, queue: str) -> int:
        forgotten, empty = 0, False

        def operation(step: Step) -> tuple[int, bool]:
            some, is_empty = retention.clear_some(step, queue)
            if is_empty and forgotten + some:
                retention.note_cleared(step, queue)
            return some, is_empty

        while not empty:
            some, empty = self._write(operation)
            forgotten += some
        return forgotten

    def configure(self, queue: str, changes: dict[str, object]) -> QueueConfig:
        check_queue_name(queue)
        if not changes:
            config = reading.config(self._readers.read, queue)
            if config is not None:
                return config
        return self._write(lambda step: control.configure(step, queue, changes))

    # Workers

    def beat(self, worker: WorkerInfo) -> BeatReply:
        return self._write(lambda step: workers.beat(step, worker, self._clock.now()))

    def workers(self) -> list[WorkerInfo]:
        return workers.alive(self._readers.read, self._clock.now())

    def command(self, worker: str, command: Command) -> None:
        self._write(lambda step: workers.command(step, worker, command, self._clock.now()))

    # Journal

    def journal(self, queue: str, after: int, limit: int, timeout: float = 0.0) -> list[JournalEntry]:
        end = time.monotonic() + timeout
        edition = self._hub.edition
        entries = self._journal(queue, after, limit)
        if entries or timeout <= 0:
            return entries
        with self._hub.watched():
            while not entries:
                left = end - time.monotonic()
                if left <= 0 or self._hub.woken_since(edition):
                    break
                before = self._hub.edition
                entries = self._journal(queue, after, limit)
                if not entries:
                    self._hub.wait_for_news(before, left)
        if entries:
            self._hub.stay_alert()
        return entries

    def journal_tail(self, queue: str) -> int:
        return journal.tail(self._readers.read, queue)

    # Life

    def health(self) -> StorageHealth:
        started = time.perf_counter()
        self.queues()
        latency = time.perf_counter() - started
        return StorageHealth.of(
            self.promise(),
            engine="sqlite",
            version=apsw.sqlite_lib_version(),
            url=self.url,
            latency=latency,
        )

    def promise(self) -> Promise:
        ((journal_mode,),) = self._readers.read("PRAGMA journal_mode")
        return durability.judge(self._writer.synchronous, journal_mode)

    def close(self) -> None:
        if self in _open_storages:
            _open_storages.discard(self)
            self._writer.close()
            self._readers.close()
            self._hub.leave()

    # Around a fork, for which SQLite's connections have to be closed

    def hold(self) -> None:
        """Close all connections and open none."""
        self._writer.hold()
        self._readers.hold()

    def let_go(self) -> None:
        """Go on after ``hold``; in a child with a hub of its own."""
        in_child = self._hub.is_of_another_process
        if in_child:
            self._hub = Hub.join(self._location)
        self._readers.let_go()
        self._writer.let_go(in_child=in_child)

    def _publish(self, news: Mapping[str, bool]) -> None:
        self._hub.publish(news)

    def _outlook(self, queues: Sequence[str]) -> Outlook:
        with self._readers.snapshot() as read:
            claimable, due_ms = reading.outlook(read, queues, floor_ms(self._clock.now()))
        # A millisecond at least: the present is rounded down.
        return Outlook(claimable, None if due_ms is None else max(1.0, due_ms) / SECOND_MS)

    def _journal(self, queue: str, after: int, limit: int) -> list[JournalEntry]:
        return journal.entries(self._readers.read, queue, after, limit)

    def _clock_moved(self) -> None:
        self._hub.room.notify_all()


_open_storages: weakref.WeakSet[SQLiteStorage] = weakref.WeakSet()
_held: list[SQLiteStorage] = []


def _before_fork() -> None:
    _held.extend(_open_storages)
    for storage in _held:
        storage.hold()


def _after_fork() -> None:
    for storage in _held:
        storage.let_go()
    _held.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
