"""The servers of a Cluster: each command goes to the primary that has the slot of its keys.

A batch is one round trip to each server that it concerns, and these work at the same time. Slots that were moved are
followed (``MOVED``, ``ASK``) at once; after any other trouble the whole batch is sent again, as on one server.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed_queue.errors import StorageIncompatible
from distributed_queue.storage.redis.addresses import Address
from distributed_queue.storage.redis.connection import (
    FAIL_OVER_SECONDS,
    Connections,
    check_info,
    first_info,
)
from distributed_queue.storage.redis.faults import translate
from distributed_queue.storage.redis.pool import Pool, Talk
from distributed_queue.storage.redis.replies import Redirected, ServerError, raise_trouble
from distributed_queue.storage.redis.slots import Slots, slot_of, slot_of_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from distributed_queue.storage.redis.addresses import Target
    from distributed_queue.storage.redis.durability import Confirmation
    from distributed_queue.storage.redis.wire import Command, Connection

_MOST_REDIRECTIONS = 5


class ClusterConnections(Connections):
    """The connections to the primaries of a Cluster."""

    retry_seconds = FAIL_OVER_SECONDS

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._target = target
        self._slots = Slots(target)
        self._pools: dict[Address, Pool] = {}

    def check_servers(self) -> None:
        try:
            primaries = self._slots.primaries()
        except (ServerError, OSError) as error:
            if "cluster support disabled" in str(error):
                raise StorageIncompatible(f"Redis at {self.url} is no Cluster: name it as redis://host:port") from error
            raise translate(error, self.url) from error
        for address in primaries:
            info = first_info(self._pool(address), self.url)
            if info is not None:
                check_info(info, self.url)

    def run_everywhere(self, commands: Sequence[Command]) -> list[list[Any]]:
        def attempt() -> list[list[Any]]:
            answers = self._talk(dict.fromkeys(self._slots.primaries(), commands), None)
            return [raise_trouble(replies) for replies in answers.values()]

        return self._persist(attempt)

    @contextmanager
    def blocking(self, key: bytes) -> Iterator[Connection]:
        self.check_open()
        try:
            with self._pool(self._slots.owner(slot_of_key(key))).blocking() as connection:
                yield connection
        except Redirected as error:
            self._doubt()
            raise ServerError(f"TRYAGAIN the slot was moved ({error})") from error
        except (ServerError, OSError):
            self._doubt()
            raise

    def said(self, key: bytes, command: Command) -> Command:
        return self._pool(self._slots.owner(slot_of_key(key))).said([command])[0]

    def together(self, keys: Sequence[bytes]) -> list[tuple[bytes, ...]]:
        groups: dict[int, list[bytes]] = {}
        for key in keys:
            groups.setdefault(slot_of_key(key), []).append(key)
        return [tuple(group) for group in groups.values()] or [()]

    def _attempt(self, commands: Sequence[Command], confirmation: Confirmation | None = None) -> list[Any]:
        places: dict[Address, list[int]] = {}
        for index, command in enumerate(commands):
            places.setdefault(self._slots.owner(slot_of(command)), []).append(index)
        batches = {address: [commands[index] for index in indexes] for address, indexes in places.items()}
        replies: list[Any] = [None] * len(commands)
        for address, answers in self._talk(batches, confirmation).items():
            for index, answer in zip(places[address], answers, strict=True):
                replies[index] = answer
                if isinstance(answer, Redirected):
                    replies[index] = self._follow(answer, address, commands[index], confirmation)
        return raise_trouble(replies)

    def _follow(
        self, redirection: Redirected, asked: Address, command: Command, confirmation: Confirmation | None
    ) -> Any:
        """What a command answers where its slot is now."""
        for _ in range(_MOST_REDIRECTIONS):
            self._slots.doubt()
            asked = Address(redirection.host or asked.host, redirection.port)
            if redirection.code == "MOVED":
                batch = [command]
            elif command[0] == b"EVALSHA":
                # Some of its keys are there and some here; neither server would run it.
                raise ServerError("TRYAGAIN the queue's slot is just being moved")
            else:
                batch = [(b"ASKING",), command]
            answer = self._talk({asked: batch}, confirmation)[asked][-1]
            if not isinstance(answer, Redirected):
                return answer
            redirection = answer
        raise ServerError(f"TRYAGAIN redirected {_MOST_REDIRECTIONS} times")

    def _talk(
        self, batches: Mapping[Address, Sequence[Command]], confirmation: Confirmation | None
    ) -> dict[Address, list[Any]]:
        """Send each server its batch, then read what each has answered."""
        talks: list[tuple[Address, Talk]] = []
        answers: dict[Address, list[Any]] = {}
        try:
            for address, batch in batches.items():
                talks.append((address, Talk(self._pool(address), batch, confirmation)))
            while talks:
                address, talk = talks.pop()
                answers[address] = talk.finish()
        except BaseException:
            for _, talk in talks:
                talk.abandon()
            self._pool(address).drop_idle()
            raise
        return answers

    def _pool(self, address: Address) -> Pool:
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools.setdefault(address, Pool(self._target.at(address)))
            if self._closed:
                pool.close()
        return pool

    def _doubt(self) -> None:
        self._slots.doubt()

    def _hang_up(self) -> None:
        for pool in list(self._pools.values()):
            pool.close()
