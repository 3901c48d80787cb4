"""Redis servers that stand in for each other: watched over by Sentinels, or as a Cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.testing.campaign.faults.topology import CUT_OFF, CUT_OFF_FROM_PEERS, TopologyFaults
from distributed_queue.testing.campaign.grounds.ground import ProcessGround
from distributed_queue.testing.campaign.plan import QUEUES
from distributed_queue.testing.topologies import RedisCluster, SentinelRedis, Topology

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from distributed_queue.testing.campaign.faults import FaultKind
    from distributed_queue.testing.namespace import Network

_AOF = {"appendonly": "yes", "appendfsync": "everysec"}
_KEY = f"dq:{{{next(iter(QUEUES))}}}:meta"


class TopologyGround(ProcessGround):
    """All replicas confirm, unless the option ``replicas`` says that fewer have to: that loses tasks."""

    claims_last = False
    _topology: Topology
    _replicas: int
    """How many a primary has."""

    def __init__(self, folder: Path, options: Mapping[str, str], network: Network | None = None) -> None:
        super().__init__(folder, options, network)
        if network is None:
            self.missing = dict.fromkeys((CUT_OFF, CUT_OFF_FROM_PEERS), "there is no network namespace for it")

    @property
    def _demand(self) -> str:
        replicas = int(self._options.get("replicas", self._replicas))
        return f"durability=replicated&replicas={replicas}" if replicas else "durability=none"

    @property
    def url(self) -> str:
        """All its servers."""
        return f"{self._topology.url}?socket_timeout=1&{self._demand}"

    def version(self) -> str:
        """What it is, with its version."""
        server = self._topology.servers[0]
        version = self._topology.admin(server).info("server")["redis_version"]
        return f"Redis {version}, {type(self._topology).__name__}, {self._demand}"


class SentinelGround(TopologyGround):
    """A primary, two replicas and three Sentinels.

    Sentinels choose by what they knew of the replicas up to a second ago, so it may be the one that has less.
    """

    _replicas = 2
    _topology: SentinelRedis

    def start(self) -> None:
        """Start all of it."""
        self._topology = self._cleanup.enter_context(SentinelRedis(self._folder / "redis", self._network, **_AOF))

    def faults(self, lease_seconds: float) -> list[FaultKind]:
        """Of the processes and the servers."""
        topology = self._topology
        of_servers = TopologyFaults(
            topology, topology.primary, lambda kill: topology.fail_over(kill=kill), self.returns, self._network
        ).kinds()
        return [*super().faults(lease_seconds), *of_servers]


class ClusterGround(TopologyGround):
    """Three primaries, each with a replica."""

    _replicas = 1
    _topology: RedisCluster

    def start(self) -> None:
        """Start all of it."""
        self._topology = self._cleanup.enter_context(RedisCluster(self._folder / "redis", self._network, **_AOF))

    def faults(self, lease_seconds: float) -> list[FaultKind]:
        """Of the processes, and of the servers that have the queue which lets through most."""
        topology = self._topology
        of_servers = TopologyFaults(
            topology,
            lambda: topology.owner(_KEY),
            lambda kill: topology.fail_over(_KEY, kill=kill),
            self.returns,
            self._network,
        ).kinds()
        return [*super().faults(lease_seconds), *of_servers]
