"""Keeps leases, time limits and the operator's commands, in a thread and over a connection of its own.

So a busy handler cannot starve it. Where it cannot renew a lease in time, it stops the handler before the lease ends
and its outcome is dropped: the worker fences itself.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from typing import TYPE_CHECKING

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.storage import LeaseState, WorkerInfo
from distributed_queue.core.worker.attempt import State
from distributed_queue.core.worker.progress import store_progress
from distributed_queue.errors import (
    DistributedQueueError,
    HandlerError,
    LeaseLost,
    QueueClosed,
    TaskCancelled,
    TimeLimitExceeded,
)
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import Command, Storage
    from distributed_queue.core.worker.attempt import Attempt
    from distributed_queue.core.worker.book import AttemptBook

logger = logging.getLogger("distributed_queue.worker")

BEAT_SECONDS = 2.0
_LONGEST_TICK_SECONDS = 0.5
_TICKS_A_LEASE = 12
"""At least: more often than the margin is long, so that a handler is stopped before its lease ends."""
_RENEW_AT = 2 / 3
"""A lease is renewed when less than this share of it is left."""
_MARGIN = 0.1
"""Share of a lease before whose end a handler that could not be renewed is stopped."""


class Keeper(threading.Thread):
    """Ticks while the worker lives. ``describe`` gives the beat, ``obey`` carries out commands.

    ``give_up`` ends an attempt whose handler has not begun, or does not react.
    """

    def __init__(  # noqa: PLR0913 - the parts it connects
        self,
        name: str,
        storage: Storage,
        book: AttemptBook,
        *,
        lease_seconds: float,
        stuck_seconds: float,
        describe: Callable[[], WorkerInfo],
        obey: Callable[[Command], None],
        queues_seen: Callable[[tuple[str, ...]], None],
        give_up: Callable[[Attempt, type[HandlerError]], None],
    ) -> None:
        super().__init__(name=f"dq-{name}-keeper", daemon=True)
        self._storage = storage
        self._book = book
        self._lease_seconds = lease_seconds
        self._tick_seconds = min(_LONGEST_TICK_SECONDS, lease_seconds / _TICKS_A_LEASE)
        self._stuck_seconds = stuck_seconds
        self._describe = describe
        self._obey = obey
        self._queues_seen = queues_seen
        self._give_up = give_up
        self._changed = threading.Event()
        self._stopping = False
        self._beat_at = 0.0
        self._renew_at = 0.0
        self._look_at = 0.0
        """When the next tick is due."""
        self._told: dict[Attempt, float] = {}
        """Attempts that were told to stop, and when, on the monotonic clock."""

    def limited(self, until: float) -> None:
        """An attempt has begun that has to be done by then, on the monotonic clock."""
        if until < self._look_at:
            self._changed.set()

    def hurry(self) -> None:
        """Beat now: there may be a new queue, or a command."""
        self._beat_at = 0.0
        self._changed.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._changed.set()

    def beat(self) -> None:
        """Report to the storage, and obey."""
        reply = self._storage.beat(self._describe())
        self._queues_seen(reply.queues)
        for command in reply.commands:
            try:
                self._obey(command)
            except DistributedQueueError as error:
                logger.warning("cannot %s: %s", command.action, error)

    def run(self) -> None:
        """Tick until stopped."""
        while not self._stopping:
            try:
                self._tick()
            except QueueClosed:
                return
            except DistributedQueueError as error:
                logger.debug("keeping leases: %s", error)
            except Exception:
                logger.exception("the keeper's tick failed")
            pause = self._pause()
            self._look_at = time.monotonic() + pause
            self._changed.wait(pause)
            self._changed.clear()

    def _tick(self) -> None:
        now = time.monotonic()
        self._enforce(now)
        if now >= self._renew_at:
            # Set first: where the storage is away, the next try is due all the same.
            self._renew_at = now + self._tick_seconds
            self._renew(now)
        for attempt in self._book.running():
            store_progress(self._storage, attempt)
        if now >= self._beat_at:
            self._beat_at = now + BEAT_SECONDS * random.uniform(0.8, 1.0)  # noqa: S311 - jitter, not a secret
            self.beat()

    def _pause(self) -> float:
        limits = [attempt.time_limit for attempt in self._book.running() if attempt.time_limit is not None]
        soonest = min(limits, default=float("inf")) - time.monotonic()
        return min(self._tick_seconds, soonest) if soonest > 0 else self._tick_seconds / 10

    def _enforce(self, now: float) -> None:
        """Stop handlers whose time, or lease, is over; give up those that do not stop."""
        margin = self._lease_seconds * _MARGIN
        for attempt in self._book.all():
            if now >= attempt.lease_end - margin:
                self._tell(attempt, LeaseLost, now)
            elif attempt.time_limit is not None and now >= attempt.time_limit:
                self._tell(attempt, TimeLimitExceeded, now)
        for attempt, told_at in list(self._told.items()):
            if attempt.state is State.ENDED:
                del self._told[attempt]
            elif now >= told_at + self._stuck_seconds:
                del self._told[attempt]
                self._give_up(attempt, attempt.interruption or TimeLimitExceeded)

    def _renew(self, now: float) -> None:
        """Extend the leases that need it, in one batch."""
        due = [
            attempt
            for attempt in self._book.all()
            if attempt.lease_end - now < self._lease_seconds * _RENEW_AT and attempt.interruption is not LeaseLost
        ]
        if not due:
            return
        states = self._storage.extend([attempt.lease for attempt in due], self._lease_seconds)
        for attempt, state in zip(due, states, strict=True):
            if state is LeaseState.LOST:
                attempt.lease_end = now
                self._tell(attempt, LeaseLost, now)
                continue
            attempt.lease_end = now + self._lease_seconds
            if state is LeaseState.CANCEL:
                self._tell(attempt, TaskCancelled, now)

    def cancel(self, queue: str | None, task_id: str) -> None:
        """Tell the handler of a task to stop."""
        for attempt in self._book.all():
            if attempt.claimed.id == task_id and queue in (None, attempt.claimed.queue):
                self._tell(attempt, TaskCancelled, time.monotonic())

    def _tell(self, attempt: Attempt, reason: type[HandlerError], now: float) -> None:
        if attempt.state is State.WAITING:
            self._give_up(attempt, reason)
        elif attempt.interrupt(reason):
            logger.warning("task %s, attempt %d: %s", attempt.claimed.id, attempt.claimed.attempt, reason())
            self._told[attempt] = now


def identity(name: str, worker_id: str) -> WorkerInfo:
    """What does not change between a worker's beats."""
    return WorkerInfo(
        id=worker_id,
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=SystemClock().now(),
        version=__version__,
    )
