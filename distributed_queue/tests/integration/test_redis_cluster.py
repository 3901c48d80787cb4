"""A Redis Cluster: queues on several servers, slots that move, fail-overs, and what holds all the same."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as StillWaiting
from typing import TYPE_CHECKING

import pytest
from redis.crc import key_slot

from distributed_queue.core.ids import new_task_id
from distributed_queue.core.registry import open_storage
from distributed_queue.errors import QueueFull, StorageIncompatible, StorageUnavailable
from distributed_queue.testing.builders import Q, complete, new_task, request
from distributed_queue.testing.servers import HOST, free_port
from distributed_queue.testing.steps import claim, claim_ids, enqueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import NewTask, Storage
    from distributed_queue.testing.servers import RedisServer
    from distributed_queue.testing.topologies import RedisCluster

LIMIT = 30.0
SECRET = "open-sesame"
APART = ("a", "b", "c")
"""Queues on three servers."""


def key(queue: str) -> str:
    return f"dq:{{{queue}}}:meta"


def batch(queues: str) -> list[NewTask]:
    """A new task for each of these queues, whose names are letters."""
    return [new_task(new_task_id(), queue=queue) for queue in queues]


@pytest.fixture
def cluster(redis_cluster: RedisCluster) -> Iterator[RedisCluster]:
    """Empty, and made whole again after each test."""
    redis_cluster.flush()
    yield redis_cluster
    redis_cluster.heal()


@pytest.fixture
def storage(cluster: RedisCluster) -> Iterator[Storage]:
    storage = open_storage(cluster.url)
    yield storage
    storage.close()


def waiting(threads: ThreadPoolExecutor, storage: Storage, *queues: str) -> Future[tuple[str, ...]]:
    """Another thread that waits for work, and has begun to."""
    future = threads.submit(storage.wait, queues, LIMIT)
    with pytest.raises(StillWaiting):
        future.result(0.2)
    return future


def test_the_queues_of_these_tests_are_on_three_servers(cluster: RedisCluster) -> None:
    assert len({cluster.owner(key(queue)).port for queue in APART}) == 3


class TestOpening:
    def test_one_server_that_answers_is_enough_to_find_the_others(self, cluster: RedisCluster) -> None:
        storage = open_storage(f"redis+cluster://{HOST}:{free_port()},{HOST}:{cluster.servers[-1].port}")
        assert storage.enqueue(batch("abc")) == [True] * 3
        storage.close()

    def test_servers_that_do_not_answer_are_named_without_the_password(self) -> None:
        first, second = free_port(), free_port()
        with pytest.raises(StorageUnavailable, match=f"{HOST}:{first}.*refused") as caught:
            open_storage(f"redis+cluster://me:{SECRET}@{HOST}:{first},{HOST}:{second}")
        assert f"{HOST}:{second}" in str(caught.value)
        assert SECRET not in str(caught.value)

    def test_a_server_of_a_cluster_is_refused_as_a_single_one(self, cluster: RedisCluster) -> None:
        with pytest.raises(StorageIncompatible, match=r"redis\+cluster://"):
            open_storage(cluster.servers[0].url)

    def test_a_single_server_is_refused_as_a_cluster(self, redis_server: RedisServer) -> None:
        with pytest.raises(StorageIncompatible, match="redis://"):
            open_storage(f"redis+cluster://{HOST}:{redis_server.port}")

    def test_a_server_that_would_drop_tasks_is_refused(self, cluster: RedisCluster) -> None:
        server = cluster.owner(key("c"))
        cluster.admin(server).config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(StorageIncompatible, match="allkeys-lru"):
                open_storage(cluster.url)
        finally:
            cluster.admin(server).config_set("maxmemory-policy", "noeviction")


class TestBatchesForSeveralServers:
    """All, or none."""

    def test_a_batch_is_stored_on_all_of_them(self, storage: Storage) -> None:
        tasks = [new_task(f"t{number}", queue=APART[number % 3]) for number in range(9)]
        assert storage.enqueue([*tasks, tasks[0]]) == [True] * 9 + [False]
        assert [figures.depth for figures in storage.stats(APART)] == [3, 3, 3]

    @pytest.mark.parametrize("full", APART)
    def test_one_full_queue_keeps_out_all(self, storage: Storage, full: str) -> None:
        for queue in APART:
            storage.configure(queue, {"max_size": 2 if queue == full else 3})
        with pytest.raises(QueueFull) as caught:
            storage.enqueue(batch("abcabcabc"))
        assert (caught.value.queue, caught.value.limit) == (full, 2)
        assert [figures.depth for figures in storage.stats(APART)] == [0, 0, 0]

    def test_no_room_stays_taken_by_a_batch_that_was_refused(self, storage: Storage) -> None:
        storage.configure("a", {"max_size": 2})
        storage.configure("b", {"max_size": 1})
        with pytest.raises(QueueFull):
            storage.enqueue(batch("abab"))
        assert storage.enqueue(batch("aba")) == [True] * 3

    def test_nor_by_one_that_was_stored(self, storage: Storage) -> None:
        storage.configure("a", {"max_size": 4})
        for _ in range(2):
            assert storage.enqueue(batch("aba")) == [True] * 3
        with pytest.raises(QueueFull) as caught:
            storage.enqueue(batch("ab"))
        assert (caught.value.depth, caught.value.limit) == (4, 4)

    def test_known_tasks_need_no_room(self, storage: Storage) -> None:
        storage.configure("a", {"max_size": 1})
        tasks = [new_task("t1", queue=queue) for queue in APART]
        assert storage.enqueue(tasks) == [True] * 3
        assert storage.enqueue(tasks) == [False] * 3

    def test_clients_that_fill_a_queue_together_do_not_overfill_it(self, storage: Storage) -> None:
        for queue in APART:
            storage.configure(queue, {"max_size": 50})

        def fill(_: int) -> int:
            stored = 0
            for _ in range(20):
                try:
                    storage.enqueue(batch("abc"))
                except QueueFull:
                    continue
                stored += 1
            return stored

        with ThreadPoolExecutor(4) as threads:
            stored = sum(threads.map(fill, range(4)))
        assert [figures.depth for figures in storage.stats(APART)] == [stored] * 3
        assert stored <= 50


class TestWaiting:
    """A waiter blocks on every server that has one of its queues."""

    def test_an_arrival_on_any_server_wakes_it(self, storage: Storage) -> None:
        with ThreadPoolExecutor() as threads:
            for queue in APART:
                future = waiting(threads, storage, *APART)
                enqueue(storage, "t1", queue=queue)
                assert future.result(LIMIT) == (queue,)
                assert claim_ids(storage, queue) == ["t1"]

    def test_one_arrival_wakes_one_of_two(self, storage: Storage) -> None:
        with ThreadPoolExecutor() as threads:
            futures = [waiting(threads, storage, *APART) for _ in range(2)]
            enqueue(storage, "t1", queue="b")
            (first,), (second,) = wait(futures, LIMIT, FIRST_COMPLETED)
            assert first.result() == ("b",)
            assert claim_ids(storage, "b") == ["t1"]
            with pytest.raises(StillWaiting):
                second.result(0.2)
            enqueue(storage, "t2", queue="c")
            assert second.result(LIMIT) == ("c",)

    def test_arrivals_on_all_servers_at_once_are_for_all_who_wait(self, storage: Storage) -> None:
        for _ in range(5):
            with ThreadPoolExecutor() as threads:
                both = waiting(threads, storage, *APART)
                others = [waiting(threads, storage, queue) for queue in APART]
                storage.enqueue([new_task(f"{queue}{number}", queue=queue) for queue in APART for number in range(2)])
                assert set(both.result(LIMIT)) <= set(APART)
                storage.claim(request(*APART, limit=1))
                assert [future.result(LIMIT / 3) for future in others] == [(queue,) for queue in APART]
            for queue in APART:
                storage.clear(queue)

    def test_it_costs_little_while_nothing_happens(self, storage: Storage, cluster: RedisCluster) -> None:
        for queue in APART:
            storage.configure(queue, {})
        with ThreadPoolExecutor() as threads:
            future = waiting(threads, storage, *APART)
            before = self._commands(cluster)
            time.sleep(0.5)  # which is what is measured
            assert self._commands(cluster) - before < 60
            storage.wake()
            assert future.result(LIMIT) == ()

    @staticmethod
    def _commands(cluster: RedisCluster) -> int:
        return sum(cluster.admin(server).info("stats")["total_commands_processed"] for server in cluster.primaries())


class TestMovedSlots:
    """An operator moves slots from server to server while tasks are in them."""

    def test_commands_follow_a_slot_to_its_new_server(self, storage: Storage, cluster: RedisCluster) -> None:
        enqueue(storage, "t1")
        (task,) = claim(storage)
        self._move(cluster, Q)
        assert storage.settle([complete(task)]) == [True]
        assert enqueue(storage, "t2") == [True]
        assert claim_ids(storage) == ["t2"]

    def test_a_wait_follows_it_too(self, storage: Storage, cluster: RedisCluster) -> None:
        storage.configure(Q, {})
        with ThreadPoolExecutor() as threads:
            work = waiting(threads, storage, Q)
            news = threads.submit(storage.journal, Q, 0, 10, LIMIT)
            self._move(cluster, Q)
            enqueue(storage, "t1")
            assert work.result(LIMIT) == (Q,)
            assert len(news.result(LIMIT)) == 1

    def test_a_call_waits_while_its_slot_is_being_moved(self, storage: Storage, cluster: RedisCluster) -> None:
        enqueue(storage, "t1")
        source, target = self._begin(cluster, Q)
        with ThreadPoolExecutor() as threads:
            future = threads.submit(enqueue, storage, "t2")
            with pytest.raises(StillWaiting):
                future.result(0.2)
            self._finish(cluster, Q, source, target)
            assert future.result(LIMIT) == [True]
        assert claim_ids(storage) == ["t1", "t2"]

    def _move(self, cluster: RedisCluster, queue: str) -> None:
        self._finish(cluster, queue, *self._begin(cluster, queue))

    @staticmethod
    def _begin(cluster: RedisCluster, queue: str) -> tuple[RedisServer, RedisServer]:
        source = cluster.owner(key(queue))
        target = next(server for server in cluster.primaries() if server is not source)
        slot = key_slot(key(queue).encode())
        cluster.admin(target).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", cluster.node_id(source))
        cluster.admin(source).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", cluster.node_id(target))
        return source, target

    @staticmethod
    def _finish(cluster: RedisCluster, queue: str, source: RedisServer, target: RedisServer) -> None:
        slot = key_slot(key(queue).encode())
        while keys := cluster.admin(source).execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            cluster.admin(source).execute_command("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
        for server in (target, source):
            cluster.admin(server).execute_command("CLUSTER SETSLOT", slot, "NODE", cluster.node_id(target))


class TestFailOver:
    """A replica takes a primary's place."""

    def test_a_call_goes_on_with_the_new_primary(self, storage: Storage, cluster: RedisCluster) -> None:
        for queue in APART:
            enqueue(storage, "t1", "t2", queue=queue)
        (task,) = claim(storage, "b", limit=1)
        old = cluster.fail_over(key("b"))
        assert storage.settle([complete(task)]) == [True]
        assert [claim_ids(storage, queue) for queue in APART] == [["t1", "t2"], ["t2"], ["t1", "t2"]]
        cluster.heal()
        assert old not in cluster.primaries()

    def test_waits_survive_it(self, storage: Storage, cluster: RedisCluster) -> None:
        for queue in APART:
            storage.configure(queue, {})
        with ThreadPoolExecutor() as threads:
            work = waiting(threads, storage, *APART)
            news = threads.submit(storage.journal, "b", 0, 10, LIMIT)
            cluster.fail_over(key("b"), kill=False)
            enqueue(storage, "t1", queue="b")
            assert work.result(LIMIT) == ("b",)
            assert len(news.result(LIMIT)) == 1

    def test_queues_on_other_servers_go_on_where_the_cluster_lets_them(
        self, storage: Storage, cluster: RedisCluster
    ) -> None:
        self._need_all_slots(cluster, "no")
        try:
            enqueue(storage, "t1", queue="a")
            cluster.owner(key("b")).kill()
            with pytest.raises(StorageUnavailable):
                enqueue(storage, "t1", queue="b")
            assert enqueue(storage, "t2", queue="a") == [True]
            assert claim_ids(storage, "a") == ["t1", "t2"]
        finally:
            self._need_all_slots(cluster, "yes")

    @staticmethod
    def _need_all_slots(cluster: RedisCluster, answer: str) -> None:
        for server in cluster.servers:
            if server.pid is not None:
                cluster.admin(server).config_set("cluster-require-full-coverage", answer)


def test_a_user_who_may_do_no_more_than_needed_can_work(cluster: RedisCluster) -> None:
    for server in cluster.servers:
        cluster.admin(server).execute_command(
            "ACL", "SETUSER", "worker", "on", f">{SECRET}", "~dq:*", "+@all", "-@admin", "-@dangerous"
        )
    storage = open_storage(cluster.url.replace("://", f"://worker:{SECRET}@"))
    assert storage.enqueue(batch("abc")) == [True] * 3
    assert len(storage.claim(request(*APART)).tasks) == 3
    assert storage.wait(APART, 0.01) == ()
    assert SECRET not in storage.health().url
    storage.close()
