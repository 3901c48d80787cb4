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
* **What a waiter does with it.** A marker has the time at which it was set. One that is younger than the waiter's look
  is news: the waiter is told at once, without another look, which would be a part of each task's latency.
* **Idle wake-ups.** A marker that outlived its task costs one look: a look that finds nothing goes on waiting, and the
  marker is gone. There is at most one marker a queue, and one is set per call of a script, so waiters cannot spin.

A worker of one queue sends its claim along, behind the command that blocks: the server runs it when the block ends, in
the same moment, so that a task is under way to the worker as soon as it is there. A claim that does so is an operation
like any other (``operations``): where its answer is lost, it is asked for again; where it runs late, for a client that
has long gone on, its token is stale and it does nothing.

A server ends a timed block only with its next tick, up to 100 ms late (measured on an idle Redis 7.0: its ``hz`` is
10). So each waiter also blocks on a key of its own, which this process writes to: when the time is over to the
millisecond, and in ``wake``. That needs no permission for ``CLIENT UNBLOCK``, and nothing is lost if it is written
before the block begins.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack, contextmanager
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any, TypeVar

from distributed_queue.errors import StorageUnavailable
from distributed_queue.storage.redis.faults import is_passing, translate
from distributed_queue.storage.redis.keys import waiter_key
from distributed_queue.storage.redis.pool import BLOCK_SECONDS, was_not_run
from distributed_queue.storage.redis.replies import ServerError, raise_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from distributed_queue.storage.redis.arrivals import Arrivals
    from distributed_queue.storage.redis.connection import Connections
    from distributed_queue.storage.redis.wire import Command, Connection

T = TypeVar("T", bound="Sequence[object]")
if TYPE_CHECKING:
    Look: TypeAlias = Callable[[], tuple[T, float | None]]
    """Looks for what is waited for; also tells the seconds until it may be found, or None."""
    Commands: TypeAlias = Callable[[float], Sequence[Command]]
    """Those that block for so long, one a group of keys."""

_KEEP_MS = 2 * int(BLOCK_SECONDS) * 1000
"""How long a key that wakes a waiter stays, should the waiter be gone."""
_COARSE_SECONDS = 1.0
"""A time-out of at least this may be some 100 ms late."""


class Waiter:
    """One blocked call: a command for each group of keys that can be waited for together."""

    __slots__ = ("for_journal", "keys", "woken")

    def __init__(self, name: bytes, groups: Sequence[Sequence[bytes]], *, for_journal: bool) -> None:
        self.keys = [waiter_key(group[0] if group else None, name, for_journal=for_journal) for group in groups]
        """What wakes it, one with each group."""
        self.for_journal = for_journal
        self.woken = False

    def wake_commands(self, keys: Iterable[bytes] | None = None) -> list[Command]:
        """What ends the block, now or as soon as it begins; only that of some of its keys, if they are given."""
        commands: list[Command] = []
        for key in self.keys if keys is None else keys:
            write: Command = (b"XADD", key, b"*", b"w", b"") if self.for_journal else (b"ZADD", key, 0, b"w")
            commands += (write, (b"PEXPIRE", key, _KEEP_MS))
        return commands


class WaitingRoom:
    """The blocked calls of this process."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._start()

    def wait(self, arrivals: Arrivals, timeout: float) -> tuple[str, ...]:
        """Block until queues have work, at most ``timeout`` seconds or until someone calls ``wake``."""
        groups = self._connections.together(arrivals.keys)
        with self._waiter(groups, for_journal=False) as waiter:
            places = [(*group, key) for group, key in zip(groups, waiter.keys, strict=True)]

            def commands(seconds: float) -> list[Command]:
                return [(b"BZPOPMIN", *keys, f"{seconds:.3f}") for keys in places]

            return self._until(waiter, timeout, arrivals.look, commands, arrivals.told)

    def claim(self, arrivals: Arrivals, timeout: float, command: Command) -> list[Any]:
        """Block on one queue, until it has a marker or something is due, with a claim sent along; its answer.

        The claim runs when the block ends, whatever ended it. Nothing where it did not, or is not known to have run.
        """
        (key,) = arrivals.keys
        with self._waiter([(key,)], for_journal=False) as waiter:
            found, foreseen = arrivals.look()
            if found or waiter.woken:
                return []

            def commands(seconds: float) -> list[Command]:
                pop: Command = (b"BZPOPMIN", key, *waiter.keys, f"{seconds:.3f}")
                return [pop, self._connections.said(key, command)]

            answers = self._block(waiter, commands, _block_seconds(timeout, foreseen))
            return answers[1] if answers else []

    def follow(self, stream: bytes, after: int, timeout: float, look: Look[T]) -> T:
        """Block until ``look`` finds entries of the stream above a position. As ``wait``."""
        with self._waiter([(stream,)], for_journal=True) as waiter:
            (key,) = waiter.keys

            def commands(seconds: float) -> list[Command]:
                block = max(1, int(seconds * 1000))
                return [(b"XREAD", b"COUNT", 1, b"BLOCK", block, b"STREAMS", stream, key, f"{after}-0", b"0")]

            return self._until(waiter, timeout, look, commands)

    def _until(
        self,
        waiter: Waiter,
        timeout: float,
        look: Look[T],
        commands: Commands,
        told: Callable[[Sequence[Any]], T] | None = None,
    ) -> T:
        """``told`` says what is found by the answers of the commands alone."""
        end = time.monotonic() + timeout
        while True:
            found, foreseen = look()
            left = end - time.monotonic()
            if found or left <= 0 or waiter.woken:
                return found
            answers = self._block(waiter, commands, _block_seconds(left, foreseen))
            if told is not None and (news := told(answers)):
                return news

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
    def _waiter(self, groups: Sequence[Sequence[bytes]], *, for_journal: bool) -> Iterator[Waiter]:
        if self._pid != os.getpid():
            self._start()
        with self._lock:
            self._made += 1
            waiter = Waiter(f"{self._client}.{self._made}".encode(), groups, for_journal=for_journal)
            self._waiters.append(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.remove(waiter)

    def _block(self, waiter: Waiter, commands: Commands, seconds: float) -> list[Any]:
        """Run blocking commands for so long; their answers.

        They end where a server goes away, too, with no answer: whoever waits looks again.
        """
        try:
            if len(waiter.keys) == 1:
                return self._block_on_one(waiter, commands, seconds)
            return self._block_on_several(waiter, commands, seconds)
        except (ServerError, OSError) as error:
            self._connections.check_open()
            if not is_passing(error):
                raise translate(error, self._connections.url) from error
        except StorageUnavailable:
            pass  # The server that was to end the block is away; the block ended with its connection.
        return []

    def _block_on_one(self, waiter: Waiter, commands: Commands, seconds: float) -> list[Any]:
        coarse = seconds >= _COARSE_SECONDS
        with self._connections.blocking(waiter.keys[0]) as connection:
            sent = commands(seconds if coarse else BLOCK_SECONDS)
            connection.send(sent)
            if not coarse and not wait_for_any([connection], seconds):
                self._connections.run_all(waiter.wake_commands())
            answers = connection.receive(len(sent))
            return [] if was_not_run(sent[-1], answers[-1]) else raise_trouble(answers)

    def _block_on_several(self, waiter: Waiter, commands: Commands, seconds: float) -> list[Any]:
        """Block on keys that no single command can name, until the first of them has news."""
        with ExitStack() as stack:
            connections = [stack.enter_context(self._connections.blocking(key)) for key in waiter.keys]
            for connection, command in zip(connections, commands(BLOCK_SECONDS), strict=True):
                connection.send([command])
            answered = wait_for_any(connections, seconds)
            silent = [key for index, key in enumerate(waiter.keys) if index not in answered]
            if silent:
                self._connections.run_all(waiter.wake_commands(silent))
            popped = [raise_trouble(connection.receive(1))[0] for connection in connections]
        return self._tidy_up(waiter, silent, popped)

    def _tidy_up(self, waiter: Waiter, silent: Sequence[bytes], popped: Sequence[Any]) -> list[Any]:
        """Undo what came at once with the first news: other markers are for other waiters. What this one keeps."""
        came = [pop for pop in popped if pop is not None]
        keys = [key for key, *_ in came]
        markers = [pop for pop in came if pop[0] not in waiter.keys]
        commands: list[Command] = [(b"ZADD", key, set_at, b"0") for key, _, set_at in markers[1:]]
        commands += [(b"DEL", key) for key in silent if key not in keys]
        if commands:
            self._connections.run_all(commands)
        return markers[:1]


def _block_seconds(left: float, foreseen: float | None) -> float:
    """How long to block. Never less than a millisecond: a due time that is almost there must not make a waiter spin."""
    return max(0.001, min(left, BLOCK_SECONDS, BLOCK_SECONDS if foreseen is None else foreseen))


def wait_for_any(connections: Sequence[Connection], seconds: float) -> set[int]:
    """Wait until there is an answer on one of the connections, at most so long; on which there are some."""
    with DefaultSelector() as selector:
        for index, connection in enumerate(connections):
            selector.register(connection, EVENT_READ, index)
        return {key.data for key, _ in selector.select(seconds)}
