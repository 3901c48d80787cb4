"""Workers and servers are killed under load: every task is completed, and none twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.testing.proof.violations import Check
from distributed_queue.testing.servers import RedisServer
from distributed_queue.tests.chaos.kills import Plan, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def durable_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that has everything on the disk before it answers; with everysec it may put writes off for 2 s."""
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis", appendonly="yes", appendfsync="always") as server:
        yield server


def test_killed_workers_lose_nothing_on_redis(durable_redis: RedisServer, tmp_path: Path) -> None:
    report = Run(Plan(durable_redis.url, tmp_path, tasks=1500, workers=3, kills=6)).run().report
    assert report.ok, report.violations
    assert (report.acknowledged, report.completed, report.faults) == (1500, 1500, 6)
    assert report.lease_expiries > 0


def test_killed_workers_lose_nothing_on_sqlite(tmp_path: Path) -> None:
    report = Run(Plan(f"sqlite:///{tmp_path}/queue.db", tmp_path, tasks=1000, workers=2, kills=5)).run().report
    assert report.ok, report.violations
    assert (report.acknowledged, report.completed, report.faults) == (1000, 1000, 5)
    assert report.lease_expiries > 0


def test_a_killed_redis_loses_nothing_acknowledged(durable_redis: RedisServer, tmp_path: Path) -> None:
    plan = Plan(durable_redis.url, tmp_path, tasks=1500, workers=2, kills=0, restarts=3, server=durable_redis)
    result = Run(plan).run()
    assert result.report.ok, result.report.violations
    assert (result.report.completed, len(result.resumed)) == (1500, 3)


def test_the_loss_of_a_redis_without_aof_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis") as server:
        plan = Plan(server.url, tmp_path, tasks=800, workers=1, kills=0, restarts=1, work_seconds=0.01, server=server)
        report = Run(plan).run().report
    assert report.counts.get(Check.LOST), report.violations
