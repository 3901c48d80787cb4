"""Waiting for work, and for news in a journal, without polling.

A queue's *marker* is the one member that ``dq:{q}:wake`` may have. Waiters block on it with ``BZPOPMIN``, so that a
marker wakes exactly one of them. The protocol, which loses no wake-up and bounds the idle ones:

* **Who sets it.** Each script that may make more claimable looks, at its end, whether a claim would give something
  now (``outlook`` in ``scripts/include/limits.lua``), and sets the marker if so: ``enqueue``, ``requeue``,
  ``update``, ``configure``, and ``exchange`` after it has claimed. So a waiter that was woken and took only a part
  has passed on the rest. Where nothing can be claimed now (paused, or a limit is reached) there is no marker; whoever
  frees the limit, a settlement or ``configure``, sets it then.
* **What is due later.** A waiter looks (``peek.lua``) before it blocks, returns at once if there is work, and otherwise
  blocks no longer than until the next due time, end of a lease, or end of a rate limit. A task that brings an *earlier*
  time sets the marker, so one waiter looks again. An exchange that takes all that it asked for, and therefore will not
  come back by itself, sets the marker if something is due within ``BLOCK_SECONDS``.
* **Who dies.** A marker popped by a client that then dies is lost. So every waiter looks again at least every
  ``BLOCK_SECONDS``, which bounds the delay, also of due times that were in the care of the dead one.
* **Idle wake-ups.** A marker that outlived its task costs one look: a look that finds nothing goes on waiting, and the
  marker is gone. There is at most one marker a queue, and one is set per call of a script, so waiters cannot spin.

A server ends a timed block only with its next tick, up to 100 ms late (measured on an idle Redis 7.0: its ``hz`` is
10). So each waiter also blocks on a key of its own, which this process writes to: when the time is over to the
millisecond, and in ``wake``. That needs no permission for ``CLIENT UNBLOCK``, and nothing is lost if it is written
before the block begins.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import redis

from distributed_queue.errors import StorageUnavailable
from distributed_queue.storage.redis.connection import BLOCK_SECONDS
from distributed_queue.storage.redis.faults import is_passing, translate
from distributed_queue.storage.redis.keys import waiter_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from distributed_queue.storage.redis.connection import Command, Connections

T = TypeVar("T", bound="Sequence[object]")
if TYPE_CHECKING:
    Look: TypeAlias = Callable[[], tuple[T, float | None]]
    """Looks for what is waited for; also tells the seconds until it may be found, or None."""

_KEEP_MS = 2 * int(BLOCK_SECONDS) * 1000
"""How long a key that wakes a waiter stays, should the waiter be gone."""
_COARSE_SECONDS = 1.0
"""A time-out of at least this may be some 100 ms late."""


class Waiter:
    """One blocked call."""

    __slots__ = ("for_journal", "stream", "woken", "zset")

    def __init__(self, name: bytes, *, for_journal: bool) -> None:
        self.zset, self.stream = waiter_keys(name)
        self.for_journal = for_journal
        self.woken = False

    def wake_commands(self) -> list[Command]:
        """What ends the block, now or as soon as it begins."""
        key = self.stream if self.for_journal else self.zset
        write: Command = (b"XADD", key, b"*", b"w", b"") if self.for_journal else (b"ZADD", key, 0, b"w")
        return [write, (b"PEXPIRE", key, _KEEP_MS)]


class WaitingRoom:
    """The blocked calls of this process."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._start()

    def wait(self, wake_keys: Sequence[bytes], timeout: float, look: Look[T]) -> T:
        """Block until ``look`` finds queues, at most ``timeout`` seconds or until someone calls ``wake``."""
        with self._waiter(for_journal=False) as waiter:
            keys = (*wake_keys, waiter.zset)
            return self._until(waiter, timeout, look, lambda seconds: (b"BZPOPMIN", *keys, f"{seconds:.3f}"))

    def follow(self, stream: bytes, after: int, timeout: float, look: Look[T]) -> T:
        """Block until ``look`` finds entries of the stream above a position. As ``wait``."""
        with self._waiter(for_journal=True) as waiter:
            places = (stream, waiter.stream, f"{after}-0", b"0")
            return self._until(
                waiter,
                timeout,
                look,
                lambda seconds: (
                    *(b"XREAD", b"COUNT", 1, b"BLOCK", max(1, int(seconds * 1000)), b"STREAMS"),
                    *places,
                ),
            )

    def _until(self, waiter: Waiter, timeout: float, look: Look[T], command: Callable[[float], Command]) -> T:
        end = time.monotonic() + timeout
        while True:
            found, foreseen = look()
            left = end - time.monotonic()
            if found or left <= 0 or waiter.woken:
                return found
            # Never less than a millisecond, so that a due time which is almost there cannot make this spin.
            block = max(0.001, min(left, BLOCK_SECONDS, BLOCK_SECONDS if foreseen is None else foreseen))
            self._block(waiter, command, block)

    def wake(self, *, journals: bool = True) -> None:
        """End the calls that are blocked now; without ``journals`` only those that wait for work."""
        commands = self.wake_commands(journals=journals)
        if commands:
            self._connections.run_all(commands)

    def wake_commands(self, *, journals: bool = True) -> list[Command]:
        """What ends the calls that are blocked now, once it is sent."""
        with self._lock:
            waiters = [waiter for waiter in self._waiters if journals or not waiter.for_journal]
        for waiter in waiters:
            waiter.woken = True
        return [command for waiter in waiters for command in waiter.wake_commands()]

    def _start(self) -> None:
        self._pid = os.getpid()
        self._client = os.urandom(8).hex()
        self._lock = threading.Lock()
        self._made = 0
        self._waiters: list[Waiter] = []

    @contextmanager
    def _waiter(self, *, for_journal: bool) -> Iterator[Waiter]:
        if self._pid != os.getpid():
            self._start()
        with self._lock:
            self._made += 1
            waiter = Waiter(f"{self._client}.{self._made}".encode(), for_journal=for_journal)
            self._waiters.append(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.remove(waiter)

    def _block(self, waiter: Waiter, command: Callable[[float], Command], seconds: float) -> None:
        """Run a blocking command for so long. It ends where the server goes away, too: whoever waits looks again."""
        coarse = seconds >= _COARSE_SECONDS
        try:
            with self._connections.blocking() as connection:
                connection.send_command(*command(seconds if coarse else BLOCK_SECONDS))
                if not coarse and not connection.can_read(seconds):
                    self._connections.run_all(waiter.wake_commands())
                connection.read_response()
        except (redis.RedisError, OSError) as error:
            self._connections.check_open()
            if not is_passing(error):
                raise translate(error, self._connections.url) from error
        except StorageUnavailable:
            pass  # The server that was to end the block is away; the block ended with its connection.
