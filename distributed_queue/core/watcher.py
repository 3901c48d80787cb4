"""Waiting for tasks to finish: one thread follows the journals for everyone in the process who waits."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import FINISHED, Event
from distributed_queue.errors import DistributedQueueError, QueueClosed, TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from distributed_queue.core.storage import JournalEntry, Storage, StoredTask

    Callback: TypeAlias = Callable[[StoredTask | BaseException], None]

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
"""How often the tasks themselves are looked at beside the journal."""
_POLL_SECONDS = 0.1
"""How often they are looked at where the journal is off."""
_BATCH = 1000
_JOIN_SECONDS = 2.0
_LONGEST_BACKOFF_SECONDS = 2.0
_CLEARED = str(Event.CLEARED)
_FINAL_EVENTS = frozenset({str(state) for state in FINISHED} | {str(Event.DELETED), _CLEARED})


class FinishWatcher:
    """Calls back when tasks finish. A queue that someone waits in has one thread, which ends with the last waiter."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._followers: dict[str, _Follower] = {}
        self._closed = False

    def watch(self, queue: str, task_id: str, callback: Callback) -> Callable[[], None]:
        """Call back once with the finished task, or with the error that tells why that will not happen.

        The callback runs in the watcher's thread, or at once. Returns a function that stops watching.
        """
        with self._lock:
            if self._closed:
                raise QueueClosed("The queue was closed.")
            follower = self._followers.get(queue)
            if follower is None or not follower.add(task_id, callback):
                follower = self._followers[queue] = _Follower(self._storage, queue)
                follower.add(task_id, callback)
                follower.start()
        try:
            # After joining: whatever happens from here on is in the journal that the follower reads.
            follower.look([task_id])
        except BaseException:
            follower.remove(task_id, callback)
            raise
        return lambda: follower.remove(task_id, callback)

    def wait(self, queue: str, task_id: str, timeout: float | None) -> StoredTask | None:
        """Block until the task is finished; None when the time is over. Raises ``TaskNotFound``."""
        arrived = threading.Event()
        answers: list[StoredTask | BaseException] = []

        def deliver(answer: StoredTask | BaseException) -> None:
            answers.append(answer)
            arrived.set()

        stop = self.watch(queue, task_id, deliver)
        try:
            if not arrived.wait(timeout):
                return None
        finally:
            stop()
        answer = answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """End all waits with ``QueueClosed``."""
        with self._lock:
            self._closed = True
        for follower in self._followers.values():
            follower.fail(QueueClosed("The queue was closed while someone waited for a result."))
        self._storage.wake()

    def join(self) -> None:
        """Wait for the threads to end, once the storage was closed too: a wake may come too early for a thread."""
        for follower in self._followers.values():
            if follower is not threading.current_thread():
                follower.join(_JOIN_SECONDS)


class _Follower(threading.Thread):
    """Follows the journal of one queue while someone waits for its tasks."""

    def __init__(self, storage: Storage, queue: str) -> None:
        super().__init__(name=f"dq-watcher-{queue}", daemon=True)
        self._storage = storage
        self._queue = queue
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Callback]] = {}
        self._ended = False
        self._journalled = True
        self._position = 0
        self._look_at = 0.0
        """When to look at the tasks themselves, on the monotonic clock."""

    def add(self, task_id: str, callback: Callback) -> bool:
        """Join; False if this thread has ended."""
        with self._lock:
            if not self._ended:
                self._waiting.setdefault(task_id, []).append(callback)
            return not self._ended

    def remove(self, task_id: str, callback: Callback) -> None:
        """Leave."""
        with self._lock:
            callbacks = self._waiting.get(task_id, [])
            if callback in callbacks:
                callbacks.remove(callback)
            if not callbacks:
                self._waiting.pop(task_id, None)

    def look(self, ids: Iterable[str]) -> None:
        """Read tasks, and answer for those that are finished or gone."""
        wanted = list(ids)
        for task_id, stored in zip(wanted, self._storage.get(wanted, self._queue), strict=True):
            if stored is None:
                self._answer(task_id, TaskNotFound(task_id))
            elif stored.status.finished:
                self._answer(task_id, stored)

    def fail(self, error: BaseException) -> None:
        """Answer everyone with an error."""
        for task_id in self._ids():
            self._answer(task_id, error)

    def run(self) -> None:
        """Follow, until nobody waits any more."""
        pause = threading.Event()
        delay = _POLL_SECONDS
        while not self._over():
            if self._follow(pause):
                delay = _POLL_SECONDS
            else:
                pause.wait(delay)
                delay = min(_LONGEST_BACKOFF_SECONDS, delay * 2)

    def _follow(self, pause: threading.Event) -> bool:
        """Take a step; False when the storage is away. Whoever waits may give up then, we go on."""
        try:
            if time.monotonic() >= self._look_at:
                self._look_at_all()
            self._answer_for(self._news(pause))
        except QueueClosed as error:
            self.fail(error)
        except DistributedQueueError as error:
            logger.debug("watching %s: %s", self._queue, error)
            self._look_at = 0.0
            return False
        except Exception:
            logger.exception("watching %s failed; it goes on", self._queue)
            return False
        return True

    def _look_at_all(self) -> None:
        """Look at the tasks themselves: entries may have been trimmed unseen, or lost with a storage that crashed."""
        self._journalled = self._storage.configure(self._queue, {}).journal
        self._position = self._storage.journal_tail(self._queue)
        self.look(self._ids())
        self._look_at = time.monotonic() + _LOOK_SECONDS

    def _answer_for(self, entries: list[JournalEntry]) -> None:
        """Look at the tasks that these entries say are finished."""
        if not entries:
            self._look_at = 0.0
            return
        if entries[0].position > self._position + 1:
            self._look_at = 0.0
        self._position = entries[-1].position
        changes = [change for entry in entries for change in entry.changes if change.event in _FINAL_EVENTS]
        waiting = set(self._ids())
        cleared = any(change.event == _CLEARED for change in changes)
        finished = waiting if cleared else waiting & {change.task_id for change in changes}
        if finished:
            self.look(finished)

    def _news(self, pause: threading.Event) -> list[JournalEntry]:
        """Journal entries once there are some; none when it is time to look at the tasks themselves."""
        if self._journalled:
            return self._storage.journal(self._queue, self._position, _BATCH, _LOOK_SECONDS)
        pause.wait(_POLL_SECONDS)
        return []

    def _over(self) -> bool:
        with self._lock:
            self._ended = not self._waiting
            return self._ended

    def _ids(self) -> list[str]:
        with self._lock:
            return list(self._waiting)

    def _answer(self, task_id: str, answer: StoredTask | BaseException) -> None:
        with self._lock:
            callbacks = self._waiting.pop(task_id, [])
        for callback in callbacks:
            try:
                callback(answer)
            except Exception:
                logger.exception("a callback for task %s failed", task_id)
