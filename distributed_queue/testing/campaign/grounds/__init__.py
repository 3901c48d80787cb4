"""The storages that campaigns are about, each with everybody's way to it and what can befall it."""

from __future__ import annotations

from distributed_queue.testing.campaign.grounds.ground import Ground
from distributed_queue.testing.campaign.grounds.memory import MemoryGround
from distributed_queue.testing.campaign.grounds.redis import RedisGround
from distributed_queue.testing.campaign.grounds.sqlite import SQLiteGround
from distributed_queue.testing.campaign.grounds.topology import ClusterGround, SentinelGround

GROUNDS: dict[str, type[Ground]] = {
    "memory": MemoryGround,
    "sqlite": SQLiteGround,
    "redis": RedisGround,
    "sentinel": SentinelGround,
    "cluster": ClusterGround,
}
"""Engine to ground."""

__all__ = ["GROUNDS", "Ground"]
