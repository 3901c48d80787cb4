"""Sentinels: which server is the primary now, and the connections to it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from distributed_queue.storage.redis.addresses import Address
from distributed_queue.storage.redis.pool import Pool
from distributed_queue.storage.redis.replies import ServerError, raise_trouble
from distributed_queue.storage.redis.wire import Connection

if TYPE_CHECKING:
    from distributed_queue.storage.redis.addresses import Target

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 1.0
"""How long a Sentinel may take: there are others."""
_LOOK_SECONDS = 1.0
"""How often a Sentinel is asked whether the primary is still the same: each time another one."""


class Sentinels:
    """The Sentinels of a URL. Thread-safe."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._hosts = list(target.hosts)
        """Those that answered last time are asked first."""
        user, password = target.sentinel_login
        self._endpoint = target.endpoint._replace(
            username=user, password=password, database=0, client_name="", connect_seconds=_ANSWER_SECONDS
        )

    def find(self) -> Address:
        """Where the primary is, by the latest that more than half of the Sentinels know, or all that answer.

        One alone may not have heard of the latest fail-over. Raises ``ConnectionError`` where none knows.
        """
        with self._lock:
            hosts = list(self._hosts)
        views: list[tuple[int, Address]] = []
        silent: dict[Address, str] = {}
        for host in hosts:
            try:
                views.append(self._ask(host))
            except (ServerError, OSError) as error:
                silent[host] = str(error)
            if len(views) > len(hosts) // 2:
                break
        with self._lock:
            self._hosts.sort(key=silent.__contains__)
        if not views:
            reasons = "; ".join(f"{host}: {reason}" for host, reason in silent.items())
            raise ConnectionError(f"no Sentinel names a primary {self._target.service!r} ({reasons})")
        return max(views)[1]

    def may_differ(self, primary: Address | None) -> bool:
        """Whether one of the Sentinels, each time another, names another primary."""
        with self._lock:
            self._hosts.append(self._hosts.pop(0))
            host = self._hosts[0]
        return self._ask(host)[1] != primary

    def _ask(self, host: Address) -> tuple[int, Address]:
        """The number of the latest fail-over that a Sentinel knows of, and the primary that it names.

        While it conducts a fail-over itself, it counts it in both answers, but has the new primary in the second only.
        """
        service = self._target.service
        asked = [(b"SENTINEL", b"MASTER", service), (b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", service)]
        connection = Connection(self._endpoint._replace(host=host.host, port=host.port), _ANSWER_SECONDS)
        try:
            state, address = raise_trouble(connection.converse(asked))
        finally:
            connection.close()
        name, port = address
        epoch = dict(zip(state[::2], state[1::2], strict=True))[b"config-epoch"]
        return int(epoch), Address(name.decode(), int(port))


class PrimaryPool(Pool):
    """The connections to the primary that the Sentinels name, made anew once they name another.

    The old one may go on answering, even to writes: one that hands over, or was frozen, is told ten seconds later. What
    it is given until then is lost. So a thread looks, as long as there are connections.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._sentinels = Sentinels(target)
        self._primary: Address | None = None
        self._over = threading.Event()
        self._looking: threading.Thread | None = None

    def make(self, answer_seconds: float) -> Connection:
        """A new connection to where the primary is now."""
        self._primary = address = self._sentinels.find()
        # In a forked child, the parent's thread is not alive.
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._look, name="dq-sentinels", daemon=True)
            self._looking.start()
        connection = Connection(self._target.at(address).endpoint, answer_seconds)
        try:
            _check_role(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def is_current(self, connection: Connection) -> bool:
        """Whether it leads to the primary."""
        return (connection.endpoint.host, connection.endpoint.port) == self._primary

    def close(self) -> None:
        """Close what is idle now, and what is in use when it is given back."""
        self._over.set()
        super().close()

    def _look(self) -> None:
        """Until closed, drop connections to a server that is the primary no more."""
        while not self._over.wait(_LOOK_SECONDS):
            try:
                if self._sentinels.may_differ(self._primary):
                    self._go_to(self._sentinels.find())
            except (ServerError, OSError) as error:
                logger.debug("looking for the primary %s: %s", self._target.service, error)

    def _go_to(self, primary: Address) -> None:
        if primary != self._primary:
            self._primary = primary
            self.drop_idle()


def _check_role(connection: Connection) -> None:
    """Raise ``ConnectionError`` where the server is not the primary, as far as this user may ask."""
    (reply,) = connection.converse([(b"ROLE",)])
    if isinstance(reply, ServerError):
        if reply.code != "NOPERM":  # or a replica tells with the first write
            raise reply
    elif reply[0] != b"master":
        raise ConnectionError(f"{connection.endpoint.host}:{connection.endpoint.port} is not the primary")
