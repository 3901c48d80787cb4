"""What happens to Redis servers that stand in for each other."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from distributed_queue.testing.campaign.faults import STORAGE, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.testing.namespace import Network
    from distributed_queue.testing.servers import RedisServer
    from distributed_queue.testing.topologies import Topology

CUT_OFF = "primary cut off"
CUT_OFF_FROM_PEERS = "primary cut off from its peers"
_HEAL_SECONDS = 60.0
_SETTLE_SECONDS = 2.0
"""Twice as long as the servers of a Cluster take to talk to each other once."""


class TopologyFaults:
    """The faults of a topology. ``primary`` is the server that matters now, ``fail_over`` puts another in its place.

    ``returns`` collects when a new primary was there. Connections can be cut only where there is a ``network``.
    """

    def __init__(
        self,
        topology: Topology,
        primary: Callable[[], RedisServer],
        fail_over: Callable[[bool], object],
        returns: list[float],
        network: Network | None,
    ) -> None:
        self._topology = topology
        self._primary = primary
        self._fail_over = fail_over
        self._returns = returns
        self._network = network

    def kinds(self) -> list[FaultKind]:
        """All of them."""
        at = (STORAGE,)
        kinds = [
            FaultKind("primary killed", at, lambda _: self._meanwhile(lambda: self._replace(kill=True)), weight=3),
            FaultKind("primary hands over", at, lambda _: self._meanwhile(lambda: self._replace(kill=False))),
            FaultKind("primary frozen", at, self._frozen, (1.0, 3.0)),
            FaultKind("replica killed", at, self._replica_killed, (0.0, 1.0)),
        ]
        if network := self._network:
            kinds += [
                FaultKind(CUT_OFF, at, lambda _: self._cut(network, clients_too=True), (1.0, 4.0)),
                FaultKind(CUT_OFF_FROM_PEERS, at, lambda _: self._cut(network, clients_too=False), (1.0, 4.0)),
            ]
        return kinds

    def _replace(self, *, kill: bool) -> None:
        """The former primary is started again when there is a new one, as its replica."""
        self._fail_over(kill)
        self._returns.append(time.time())
        self._heal()

    @contextmanager
    def _meanwhile(self, act: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        """In a thread, which takes as long as it takes."""
        failed: list[BaseException] = []

        def run() -> None:
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - it is raised again, where it can be seen
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        yield thread.is_alive
        thread.join()
        if failed:
            raise failed[0]

    @contextmanager
    def _frozen(self, _: str) -> Iterator[None]:
        """A replica takes over if it lasts; then, for a while, two take themselves for the primary."""
        pid = self._primary().pid
        if pid is None:
            raise RuntimeError("the primary does not run")
        self._topology.hurry()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
            self._heal()
            self._returns.append(time.time())

    @contextmanager
    def _cut(self, network: Network, *, clients_too: bool) -> Iterator[None]:
        """A replica takes over if it lasts, and the old primary does not know; perhaps clients still reach it."""
        server = self._primary()
        self._topology.hurry()
        others = [] if clients_too else [peer.host for peer in self._topology.peers(server)]
        try:
            with network.cut(server.host, others):
                yield
        finally:
            self._heal()
            self._returns.append(time.time())
            # Old packets of the cluster's bus may arrive now, and a server believe them until the next new ones. If a
            # primary dies before, Redis 7.0 is stuck: its replica takes the dead one for a replica of its own.
            time.sleep(_SETTLE_SECONDS)

    @contextmanager
    def _replica_killed(self, _: str) -> Iterator[None]:
        primaries = self._topology.primaries()
        replica = next(server for server in self._topology.servers if server.pid and server not in primaries)
        replica.kill()
        try:
            yield
        finally:
            self._heal()

    def _heal(self) -> None:
        end = time.monotonic() + _HEAL_SECONDS
        while time.monotonic() < end:
            with suppress(LookupError):  # they do not agree yet who the primary is
                self._topology.heal()
                return
            time.sleep(0.05)
        raise TimeoutError("the servers do not agree who the primary is")
