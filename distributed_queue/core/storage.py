"""The port: what every storage engine does, in terms of the values of ``records`` (which are exported here too).

Everything is a transition of a task, done atomically and in batches; the plural is the primitive. An engine is
thread-safe, holds no rules of its own (they are in ``lifecycle`` and ``limits``) and takes the time from its own clock.
No connection, cursor or transaction type crosses this port.

**Identity.** A task is named by ``(queue, id)``. Ids are unique within a queue.

**Order.** Ready tasks run by ``(priority, sequence)``; a task gets its sequence number when it becomes ready and keeps
it when its lease ends or is released, so it goes back to its old place. A delayed task becomes ready when a claim
promotes it: it stands behind those that were enqueued before that claim, and those promoted together stand in the order
of ``(due, id)``.

**Fencing.** A claim increments the task's ``attempt``. ``settle`` and ``extend`` carry it; an old one changes nothing.
A lease that ran out is still held until a claim takes it back: what comes before that counts.

**Replays.** A client may ask twice when a reply was lost. ``enqueue`` reports a known id. A settle that repeats what
ended the same attempt is answered as the first was and changes nothing, until the task is claimed again (a failure:
until it is requeued, too); afterwards it is an old one. So is, from the start, any other outcome of an attempt that has
ended, also where the task stands as that would have left it (see ``replays``).

**History.** Each attempt that ends otherwise than by success leaves a record (see ``history``) in the step that ends
it, and so does one that a note comes with. ``get`` and ``cancel`` tell them.

**Errors.** ``StorageUnavailable`` when the storage cannot be reached, ``StorageFull`` when it has no room,
``StorageIncompatible`` when it cannot be used as it is; every verb may raise them. ``NotReplicated`` when ``enqueue``
or ``exchange`` did what it was asked, but too few replicas have it for what ``demand`` was told: ask again.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from distributed_queue.core.durability import Demand, Durability, Promise, check_promise
from distributed_queue.core.history import HISTORY_LIMIT, AttemptOutcome, StoredAttempt
from distributed_queue.core.records import (
    WORKER_TTL_SECONDS,
    BeatReply,
    Change,
    Claim,
    ClaimedTask,
    ClaimRequest,
    Command,
    Exchange,
    JournalEntry,
    Lease,
    LeaseState,
    NewTask,
    Outcome,
    Page,
    QueueConfig,
    QueueStats,
    Settlement,
    StorageHealth,
    StoredTask,
    TaskFilter,
    TaskStack,
    TaskUpdate,
    WorkerInfo,
    apply_config,
)
from distributed_queue.errors import InvalidQueueName

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "HISTORY_LIMIT",
    "SWEEP_LIMIT",
    "WORKER_TTL_SECONDS",
    "AttemptOutcome",
    "BeatReply",
    "Change",
    "Claim",
    "ClaimRequest",
    "ClaimedTask",
    "Command",
    "Demand",
    "Durability",
    "Exchange",
    "JournalEntry",
    "Lease",
    "LeaseState",
    "NewTask",
    "Outcome",
    "Page",
    "Promise",
    "QueueConfig",
    "QueueStats",
    "Settlement",
    "Storage",
    "StorageHealth",
    "StoredAttempt",
    "StoredTask",
    "TaskFilter",
    "TaskStack",
    "TaskUpdate",
    "WorkerInfo",
    "apply_config",
    "check_queue_name",
]

SWEEP_LIMIT = 1000
"""The most tasks that one claim promotes, expires, takes back or trims, each: so an atomic step is bounded."""
DUE_LIMIT = 10_000
"""How many due tasks of a queue ``stats`` finds at least, if there are as many."""

_QUEUE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def check_queue_name(name: str) -> str:
    """Return the name, or raise ``InvalidQueueName``."""
    if not isinstance(name, str) or not _QUEUE_NAME.fullmatch(name):
        raise InvalidQueueName(
            f"{name!r:.120} is not a queue name: use letters, digits, '.', '_' and '-', from 1 to 100 of them."
        )
    return name


class Storage(ABC):
    """The port. See the module's docstring for what holds of every verb."""

    url: str
    """Where the tasks are, without a password."""
    exchanges_at_once: int = 1
    """How many exchanges a busy worker has under way. Two where the storage works in a process of its own: it works on
    one while the worker's handlers run what the other brought. Elsewhere, two would only get in each other's way."""

    awaited: bool = False
    """Whether it stands for a storage that is yet to be opened, and every verb raises ``StorageUnavailable`` still."""

    # Work

    @abstractmethod
    def enqueue(self, tasks: Sequence[NewTask]) -> list[bool]:
        """Store all, or none. False for a task whose id the queue knows already: it is left as it is.

        Of equal ids in one call the first counts. Raises ``QueueFull`` where a queue would exceed its size limit; ids
        that it knows need no room.
        """

    @abstractmethod
    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        """Settle, then claim, in one round trip: what a busy worker uses. Atomic per queue.

        Settling answers for each settlement whether it counted. The claim then goes through its queues; in each it

        1. takes back up to ``SWEEP_LIMIT`` leases that ran out, in the order of ``(deadline, id)``: each counts as a
           crash, and the task is ready again at its old place, or cancelled if that was asked for, or dead with reason
           ``crashed`` once it has ``max_crashes``;
        2. expires up to ``SWEEP_LIMIT`` waiting tasks, in the order of ``(expires_at, id)``;
        3. promotes up to ``SWEEP_LIMIT`` due tasks, in the order of ``(due, id)``;
        4. unless it is paused, takes ready tasks in order, as far as limit, rate and concurrency allow; what is past
           its ``expires_at`` is expired instead, and uses nothing up.

        Where ready tasks remain that could be claimed now, the next waiter is woken; so a claim with ``limit`` 0 passes
        on news for which there is no room. Every queue touched is trimmed to its retention, by up to ``SWEEP_LIMIT``,
        in the order of ``(finished, id)``; that is not journalled.
        """

    @abstractmethod
    def extend(self, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        """Let each lease end ``lease_seconds`` from now. Not atomic across leases."""

    @abstractmethod
    def wait(self, queues: Sequence[str], timeout: float) -> tuple[str, ...]:
        """Block until there may be work, at most ``timeout`` seconds; the queues that may have some.

        One waiter is woken for each arrival that finds any waiting. Empty when the time is over or ``wake`` was called.
        """

    @abstractmethod
    def wake(self) -> None:
        """Make this process's calls of ``wait`` and a waiting ``journal`` return soon. Never raises, closed or not."""

    # Reading

    @abstractmethod
    def get(self, ids: Sequence[str], queue: str | None = None) -> list[StoredTask | None]:
        """The tasks with these ids, in ``queue`` or, without one, in the first queue (by name) that has it."""

    @abstractmethod
    def find(self, where: TaskFilter, cursor: str | None = None, limit: int = 100) -> Page:
        """List tasks: by queue name, then by state (``lifecycle.LISTED_ORDER``), then in the state's own order.

        That is for pending the order of running; for scheduled and retrying ``(due, id)``; for processing
        ``(deadline, id)``; for dead and finished ones the latest first, ``(finished, id)`` descending. Not a snapshot:
        a task that changes state between two pages may be seen twice or not at all. Raises ``InvalidCursor``.
        """

    @abstractmethod
    def stats(self, queues: Sequence[str] | None = None) -> list[QueueStats]:
        """Figures of these queues, or of all, sorted by name. Unknown names are left out.

        Changes nothing, and takes no longer however much is stored: of what is due and not promoted yet, an engine may
        leave out those beyond ``DUE_LIMIT`` in a queue.
        """

    @abstractmethod
    def queues(self) -> tuple[str, ...]:
        """The names of all queues, sorted.

        A queue is made by its first task or setting. Reading makes none; whether another verb that finds nothing to do
        makes one is left to the engine.
        """

    # Control

    @abstractmethod
    def cancel(self, queue: str, ids: Sequence[str]) -> list[StoredTask | None]:
        """Cancel what waits, ask what runs to stop; the tasks afterwards, None for unknown ones.

        A task that runs has ``cancel_requested`` set; ``extend`` tells its worker. What is finished stays as it is.
        """

    @abstractmethod
    def requeue(self, queue: str, ids: Sequence[str], delays: Sequence[float] = ()) -> list[bool]:
        """Make tasks in ``lifecycle.REQUEUABLE`` states ready now, failures and crashes reset. False for others.

        With ``delays``, one for each id, tasks with one above 0 are ``scheduled`` that many seconds from now. Others
        go to the end of the line in the order named; no size limit holds any up. Clears error, reason, result,
        progress, ``expires_at`` and a request to cancel; the attempt and the history stay.
        """

    @abstractmethod
    def delete(self, queue: str, ids: Sequence[str]) -> list[bool]:
        """Forget tasks in any state but ``processing``. False for those not deleted."""

    @abstractmethod
    def update(self, queue: str, task_id: str, changes: TaskUpdate) -> bool:
        """Make all changes, of which there is at least one, in one step.

        False, and nothing changed, where the task's state or attempt does not fit one of them. A priority changes the
        place in line, not the sequence; a time that is over is due at the next claim.
        """

    @abstractmethod
    def clear(self, queue: str) -> int:
        """Forget all tasks of a queue; how many there were. Settings, counters and journal stay. Leases are lost.

        May proceed in bounded steps. Journalled if there were any.
        """

    @abstractmethod
    def configure(self, queue: str, changes: dict[str, object]) -> QueueConfig:
        """Change some of a queue's settings (the fields of ``QueueConfig``) for all processes; all of them afterwards.

        An empty ``changes`` creates the queue, if need be, and reads. Journalled as far as something changed:
        ``paused`` or ``resumed``, then ``configured`` for the rest.
        """

    # Workers

    @abstractmethod
    def beat(self, worker: WorkerInfo) -> BeatReply:
        """Register a worker, or report that it lives; takes the commands that wait for it."""

    @abstractmethod
    def workers(self) -> list[WorkerInfo]:
        """Workers that have beaten within ``WORKER_TTL_SECONDS`` and are not stopped, sorted by name and id."""

    @abstractmethod
    def command(self, worker: str, command: Command) -> None:
        """Leave a command for the worker with this id. Kept for ``WORKER_TTL_SECONDS``."""

    # Journal

    @abstractmethod
    def journal(self, queue: str, after: int, limit: int, timeout: float = 0.0) -> list[JournalEntry]:
        """Entries with positions above ``after``, oldest first; if there are none, wait up to ``timeout`` seconds.

        Entries that were trimmed are gone: a first position above ``after + 1`` tells so.
        """

    @abstractmethod
    def journal_tail(self, queue: str) -> int:
        """The position of the latest entry, 0 if there never was one."""

    # Life

    @abstractmethod
    def health(self) -> StorageHealth:
        """Reach the storage and report."""

    @abstractmethod
    def promise(self) -> Promise:
        """What an acknowledged task survives here, found out from the storage's own settings."""

    def demand(self, demand: Demand) -> None:
        """Acknowledge nothing from now on that survives less. Raises ``StorageIncompatible`` where that cannot be had.

        Called before any work. An engine that has to do something for it does it here.
        """
        check_promise(self.promise(), demand, self.url)

    @abstractmethod
    def close(self) -> None:
        """Release everything; later calls raise ``QueueClosed``. A second call does nothing."""

    # In terms of the others

    def claim(self, request: ClaimRequest) -> Claim:
        """Take work. See ``exchange``."""
        return self.exchange((), request).claim

    def await_claim(self, request: ClaimRequest, timeout: float) -> Claim:
        """Wait as ``wait`` does, then claim: what came, or nothing, also where an earlier due time is the only news.

        An engine may do both in one round trip, so that a task does not wait until a worker was told of it and has come
        back for it.
        """
        self.wait(request.queues, timeout)
        return self.claim(request)

    def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Report how attempts ended; for each whether it counted. See ``exchange``."""
        return self.exchange(settlements, None).settled

    def pause(self, queue: str) -> None:
        """Let nothing more be claimed from the queue. Journalled; a second pause changes nothing."""
        self.configure(queue, {"paused": True})

    def resume(self, queue: str) -> None:
        """Undo ``pause`` and wake waiting workers."""
        self.configure(queue, {"paused": False})
