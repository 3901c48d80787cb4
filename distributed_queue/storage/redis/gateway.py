"""Runs scripts: with the time, a queue's keys, and the token of the operation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from distributed_queue.core.clock import floor_ms
from distributed_queue.storage.redis.keys import QUEUES, queue_keys
from distributed_queue.storage.redis.scripts import load_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from distributed_queue.core.clock import Clock
    from distributed_queue.storage.redis.codec import Arg
    from distributed_queue.storage.redis.connection import Connections
    from distributed_queue.storage.redis.operations import Slot
    from distributed_queue.storage.redis.wire import Command

_LISTED_SECONDS = 30.0
"""How long a queue is taken to be listed once it was, unless there was trouble: a server that lost its data learns its
queues again."""


class Gateway:
    """What the verbs use to reach the server."""

    def __init__(self, connections: Connections, clock: Clock | None) -> None:
        self.connections = connections
        self.clock = clock
        self._listed: dict[str, float] = {}
        self._troubles = 0

    def now(self) -> Arg:
        """The time as scripts take it: empty for the server's own."""
        return "" if self.clock is None else floor_ms(self.clock.now())

    def timed(self, script: str, queue: str, *args: Arg) -> Command:
        """A script that works on one queue and whose first argument is the time."""
        return load_script(script).call(queue_keys(queue).all, self.now(), *args)

    def operation(self, script: str, queue: str, slot: Slot, *args: Arg) -> Command:
        """As ``timed``, for a script that remembers what it answered; its second argument is the token."""
        keys = queue_keys(queue)
        return load_script(script).call((*keys.all, keys.operation(slot.name)), self.now(), slot.token, *args)

    def run(self, queues: Iterable[str], commands: Sequence[Command], *, confirmed: bool = False) -> list[Any]:
        """Run commands that may be the first to use these queues, which are put on the list of all queues before.

        ``confirmed`` is that of ``Connections.run_all``.
        """
        if self._troubles != self.connections.troubles:
            self._troubles = self.connections.troubles
            self._listed = {}
        now = time.monotonic()
        listed = self._listed
        unlisted = [queue for queue in queues if listed.get(queue, now) <= now]
        if not unlisted:
            return self.connections.run_all(commands, confirmed=confirmed) if commands else []
        listing = (b"SADD", QUEUES, *(queue.encode() for queue in unlisted))
        answers = self.connections.run_all([listing, *commands], confirmed=confirmed)
        # Not before it was answered: until then, no other thread may rely on it.
        for queue in unlisted:
            listed[queue] = now + _LISTED_SECONDS
        return answers[1:]

    def change(self, queue: str, command: Command) -> Any:
        """Run a script that may be the first to use its queue."""
        return self.run((queue,), [command])[0]

    def read(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands that change nothing."""
        return self.connections.run_all(commands) if commands else []

    def queues(self) -> tuple[str, ...]:
        """The names of all queues, sorted."""
        return tuple(sorted(name.decode() for name in self.connections.run((b"SMEMBERS", QUEUES))))
