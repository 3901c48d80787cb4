"""News of a file for everyone in this process who waits for some.

Commits of this process are told at once, whichever storage object made them. Commits of other processes are noticed by
``PRAGMA data_version``, asked by one thread a file, and only while someone waits: every 10 ms while this process takes
part in what happens, every 25 ms after 0.2 s without, every 40 ms after 1 s. Beats, its own and others', do not hurry
it. A look costs some 0.15 ms of a CPU, most of it for waking up.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from distributed_queue.core.waiting import WaitingRoom
from distributed_queue.storage.sqlite.connection import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from distributed_queue.storage.sqlite.location import Location

_POLL_SECONDS = 0.01
_QUIET_POLLS = ((1.0, 0.04), (0.2, 0.025))
"""Seconds between two looks, so long after something was done here, or came that was waited for."""
_SPACING_SECONDS = 0.02
"""Two waiters are not told of what may be the same arrival: the first gets this long to take it."""
_LINGER_SECONDS = 2.0
"""The poller stays this long after the last waiter has gone."""

_hubs: dict[str, Hub] = {}
_hubs_lock = threading.Lock()


class Hub:
    """Who waits for news of one file."""

    def __init__(self, location: Location) -> None:
        self.room = WaitingRoom()
        self._location = location
        self._pid = os.getpid()
        self._news = threading.Condition()
        self._edition = 0
        """Counts everything that may be news."""
        self._woken_at = 0
        """The edition with which ``wake`` was last called."""
        self._active_at = 0.0
        """On the monotonic clock, as are the next."""
        self._told: dict[str, float] = {}
        """When a waiter was last told of each queue."""
        self._members = 0
        self._watchers = 0
        self._poller: threading.Thread | None = None
        self._gate = threading.Lock()
        """Held by whoever uses the poller's connection."""
        self._connection: apsw.Connection | None = None

    @staticmethod
    def join(location: Location) -> Hub:
        """The hub of a file, for one storage object more."""
        with _hubs_lock:
            hub = _hubs.get(location.path)
            if hub is None:
                hub = _hubs[location.path] = Hub(location)
            hub._members += 1
            return hub

    def leave(self) -> None:
        """One storage object less. With the last one, the poller ends."""
        self.wake()
        with _hubs_lock:
            self._members -= 1
            if self._members == 0:
                _hubs.pop(self._location.path, None)
        poller = self._poller
        if self._members == 0 and poller is not None and poller is not threading.current_thread():
            poller.join(1.0)

    @property
    def is_of_another_process(self) -> bool:
        """Whether the process was forked since."""
        return self._pid != os.getpid()

    def hold(self) -> None:
        """Close the poller's connection and open none until ``let_go``: a fork is about to happen."""
        self._gate.acquire()
        self._drop()

    def let_go(self) -> None:
        """Undo ``hold``."""
        self._gate.release()

    def publish(self, news: Mapping[str, bool]) -> None:
        """Tell of a commit: queues that changed, and whether a claim may give something."""
        self.stay_alert()
        for queue, promising in news.items():
            if promising:
                self._told[queue] = time.monotonic()
                self.room.notify(queue)
        self._next_edition()

    def stay_alert(self) -> None:
        """Look for other processes' commits more often for a while: what concerns this one is happening."""
        self._active_at = time.monotonic()

    def wake(self) -> None:
        """End every wait."""
        self.room.notify_all()
        self._woken_at = self._edition + 1
        self._next_edition()

    def woken_since(self, edition: int) -> bool:
        """Whether ``wake`` was called after an edition."""
        return self._woken_at > edition

    @property
    def edition(self) -> int:
        """A number that changes with all that may be news."""
        return self._edition

    def wait_for_news(self, edition: int, seconds: float) -> None:
        """Block until there is something newer than an edition, at most so long."""
        with self._news:
            self._news.wait_for(lambda: self._edition != edition, seconds)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notice other processes' commits meanwhile."""
        with self._news:
            self._watchers += 1
            if self._poller is None:
                self._poller = threading.Thread(target=self._poll, name="dq-sqlite-poller", daemon=True)
                self._poller.start()
        try:
            yield
        finally:
            with self._news:
                self._watchers -= 1

    def _next_edition(self) -> None:
        with self._news:
            self._edition += 1
            self._news.notify_all()

    def _poll(self) -> None:
        seen, untold = -1, set[str]()
        watched_at = now = time.monotonic()
        while self._watchers or not self._over(watched_at):
            if self._watchers:
                watched_at = now
            version = self._data_version(seen)
            if version != seen:
                seen = version
                untold |= self.room.queues()
                self._next_edition()
            if untold:
                untold -= self._tell(untold)
            now = time.monotonic()
            time.sleep(_POLL_SECONDS if untold else _pause(now - self._active_at))
        with self._gate:
            self._drop()

    def _data_version(self, seen: int) -> int:
        """What changes with every commit of another connection; as ``seen`` where the file cannot be asked."""
        with self._gate:
            try:
                self._connection = self._connection or open_reader(self._location)
                return int(self._connection.execute("PRAGMA data_version").get)
            except apsw.Error:
                # Whoever reads or writes meets the same, and says so.
                self._drop()
                return seen

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _tell(self, queues: set[str]) -> set[str]:
        """Let one waiter for each queue look, unless one was told a moment ago; the queues that this is done for."""
        now = time.monotonic()
        told = {queue for queue in queues if now - self._told.get(queue, 0.0) >= _SPACING_SECONDS}
        for queue in told:
            self._told[queue] = now
            self.room.notify(queue)
        return told

    def _over(self, watched_at: float) -> bool:
        """Whether nobody has waited for a while; then the next one starts a new thread."""
        with self._news:
            lingered = time.monotonic() - watched_at > _LINGER_SECONDS
            if not self._watchers and (lingered or not self._members):
                self._poller = None
                return True
            return False


def _pause(quiet_seconds: float) -> float:
    """How long to leave a file alone after so long without anything that concerns this process."""
    return next((pause for after, pause in _QUIET_POLLS if quiet_seconds > after), _POLL_SECONDS)


def _hold_hubs() -> None:
    """No connection of SQLite's may be open at a fork: the child would believe to have its locks."""
    _hubs_lock.acquire()
    for hub in _hubs.values():
        hub.hold()


def _let_hubs_go() -> None:
    for hub in _hubs.values():
        hub.let_go()
    _hubs_lock.release()


def _forget_hubs() -> None:
    """In a forked child nobody waits, and no thread polls."""
    _hubs.clear()
    _hubs_lock.release()


os.register_at_fork(before=_hold_hubs, after_in_parent=_let_hubs_go, after_in_child=_forget_hubs)
