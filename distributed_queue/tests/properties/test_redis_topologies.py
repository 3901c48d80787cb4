"""A Redis that Sentinels watch over, and a Cluster, do as memory does, whatever is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.clock import ManualClock
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.testing.machine import EXAMPLES, check_against_memory
from distributed_queue.testing.proof.simulation import simulate

if TYPE_CHECKING:
    from distributed_queue.core.clock import Clock
    from distributed_queue.testing.topologies import Topology

SHARE = 10
"""They run the scripts of a single server: that these do as they should is shown there."""


@pytest.fixture(params=["sentinel_redis", "redis_cluster"])
def topology(request: pytest.FixtureRequest) -> Topology:
    topology: Topology = request.getfixturevalue(request.param)
    topology.flush()
    return topology


@pytest.mark.slow
@pytest.mark.timeout(600)  # where it fails, it takes its time to find the shortest way there
def test_it_does_as_memory_does(topology: Topology) -> None:
    def open_empty(clock: Clock) -> RedisStorage:
        topology.flush()
        return RedisStorage.from_url(topology.url, clock)

    check_against_memory(open_empty, EXAMPLES // SHARE)


def test_a_simulated_system_keeps_every_promise_on_it(topology: Topology) -> None:
    clock = ManualClock()
    storage = RedisStorage.from_url(topology.url, clock)
    report = simulate(storage, clock, seed=7, steps=600)
    storage.close()
    assert report.ok, report.violations
    assert report.tasks > 100
