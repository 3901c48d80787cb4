"""Fail-overs while a producer and a worker are busy: both go on by themselves, and the history is judged."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import Task
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.errors import StorageError
from distributed_queue.testing.campaign.plan import UNTRIMMED
from distributed_queue.testing.proof import RecordingStorage, check_records
from distributed_queue.testing.proof.simulation import MemoryHistory
from distributed_queue.testing.topologies import RedisCluster, SentinelRedis, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import Storage
    from distributed_queue.testing.servers import RedisServer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

QUEUE = "default"
SOME = 150


@pytest.fixture(params=["sentinel_redis", "redis_cluster"])
def topology(request: pytest.FixtureRequest) -> Iterator[SentinelRedis | RedisCluster]:
    """Writes to disk, without which no server may say that its tasks are replicated."""
    topology: SentinelRedis | RedisCluster = request.getfixturevalue(request.param)
    topology.flush()
    set_all(topology, "appendonly", "yes")
    yield topology
    topology.heal()
    set_all(topology, "appendonly", "no")


def set_all(topology: SentinelRedis | RedisCluster, name: str, value: str) -> None:
    for server in topology.servers:
        topology.admin(server).config_set(name, value)


def fail_over(topology: SentinelRedis | RedisCluster, *, kill: bool) -> RedisServer:
    """Of the server that has the queue."""
    if isinstance(topology, SentinelRedis):
        return topology.fail_over(kill=kill)
    return topology.fail_over(f"dq:{{{QUEUE}}}:meta", kill=kill)


class Load:
    """A producer that insists on each task, and a worker, each with a client of its own, and the history of both."""

    def __init__(self, url: str) -> None:
        self.history = MemoryHistory()
        self.acknowledged: list[str] = []
        self.ran: list[object] = []
        self._producer = self._open(url, "producer")
        self._producer.configure(QUEUE, **UNTRIMMED)
        self._producing = threading.Event()
        self._producing.set()
        self._thread = threading.Thread(target=self._produce)
        self._worker = Worker(self._open(url, "worker"), WorkerConfig(name="w", max_workers=4, lease_seconds=5.0))
        self._worker.register_handler("default", self.ran.append)
        self._thread.start()
        self._worker.start()

    def go_on(self) -> None:
        """Return once so much more has been stored, and has run."""
        acknowledged, ran = len(self.acknowledged), len(self.ran)
        wait_until("tasks are stored", lambda: len(self.acknowledged) >= acknowledged + SOME)
        wait_until("tasks run", lambda: len(self.ran) >= ran + SOME)

    def drain(self) -> dict[TaskStatus, int]:
        """No more tasks: wait until none is left; how they ended."""
        self._stop_producing()
        wait_until("all is done", lambda: not self._left())
        cast("RecordingStorage", self._producer.storage).dump(QUEUE, drained=True)
        (stats,) = self._producer.queue_stats(QUEUE)
        return {state: count for state, count in stats.counts.items() if count}

    def close(self) -> None:
        self._stop_producing()
        self._worker.stop()
        self._worker.queue.close()
        self._producer.close()

    def _open(self, url: str, process: str) -> HybridQueue:
        queue = HybridQueue.from_url(url)
        queue.storage = cast("Storage", RecordingStorage(queue.storage, self.history, process))
        return queue

    def _left(self) -> int:
        (stats,) = self._producer.queue_stats(QUEUE)
        return stats.depth + stats.counts[TaskStatus.PROCESSING]

    def _stop_producing(self) -> None:
        self._producing.clear()
        self._thread.join()

    def _produce(self) -> None:
        while self._producing.is_set():
            task = Task(priority=1, payload={})
            while not self._put(task) and self._producing.is_set():
                pass

    def _put(self, task: Task) -> bool:
        try:
            self._producer.put(task)
        except StorageError:
            return False
        self.acknowledged.append(task.task_id)
        return True


@pytest.fixture
def load(topology: SentinelRedis | RedisCluster, durability: str) -> Iterator[Load]:
    # All replicas have to confirm: Sentinels may promote the one that has less.
    replicas = 2 if isinstance(topology, SentinelRedis) else 1
    demand = f"replicated&replicas={replicas}" if durability == "replicated" else durability
    load = Load(f"{topology.url}?durability={demand}")
    try:
        load.go_on()
        yield load
    finally:
        load.close()


@pytest.mark.parametrize("durability", ["none"])
class TestAsItIs:
    """What was acknowledged last may be lost; nothing else is."""

    @pytest.mark.parametrize("kill", [True, False], ids=["killed", "hands over"])
    def test_all_goes_on_and_the_old_primary_becomes_a_replica(
        self, topology: SentinelRedis | RedisCluster, load: Load, kill: bool
    ) -> None:
        old = fail_over(topology, kill=kill)
        load.go_on()
        topology.heal()
        assert old not in topology.primaries()
        load.go_on()
        assert set(load.drain()) == {TaskStatus.COMPLETED}


@pytest.mark.parametrize("durability", ["replicated"])
class TestReplicated:
    def test_nothing_acknowledged_is_lost_and_nothing_counts_twice(
        self, topology: SentinelRedis | RedisCluster, load: Load
    ) -> None:
        fail_over(topology, kill=True)
        topology.heal()
        load.go_on()
        assert load.drain() == {TaskStatus.COMPLETED: len(load.acknowledged)}
        report = check_records(load.history.records, recovery_seconds=60.0)
        assert report.ok, report.violations
