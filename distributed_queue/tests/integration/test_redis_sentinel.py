"""A Redis that Sentinels watch over: fail-overs, and what holds all the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.ids import new_task_id
from distributed_queue.core.registry import open_storage
from distributed_queue.errors import StorageUnavailable
from distributed_queue.testing.builders import Q, complete
from distributed_queue.testing.servers import HOST, free_port
from distributed_queue.testing.steps import claim, claim_ids, enqueue
from distributed_queue.testing.topologies import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import Storage
    from distributed_queue.testing.topologies import SentinelRedis

LIMIT = 30.0
SECRET = "open-sesame"


@pytest.fixture
def sentinel_redis(sentinel_redis: SentinelRedis) -> Iterator[SentinelRedis]:
    """Made whole again after each test."""
    sentinel_redis.flush()
    yield sentinel_redis
    sentinel_redis.heal()


@pytest.fixture
def storage(sentinel_redis: SentinelRedis) -> Iterator[Storage]:
    storage = open_storage(sentinel_redis.url)
    yield storage
    storage.close()


class TestOpening:
    def test_the_primary_is_found_wherever_it_is(self, sentinel_redis: SentinelRedis) -> None:
        sentinel_redis.fail_over(kill=False)
        storage = open_storage(sentinel_redis.url)
        assert enqueue(storage, "t1") == [True]
        assert sentinel_redis.admin(sentinel_redis.primary()).scard("dq:queues") == 1
        assert storage.url == sentinel_redis.url
        storage.close()

    def test_sentinels_that_are_away_are_passed_over(self, sentinel_redis: SentinelRedis) -> None:
        for sentinel in sentinel_redis.sentinels[:2]:
            sentinel.kill()
        storage = open_storage(sentinel_redis.url)
        assert enqueue(storage, "t1") == [True]
        storage.close()

    def test_a_service_that_no_sentinel_knows_is_named(self, sentinel_redis: SentinelRedis) -> None:
        with pytest.raises(StorageUnavailable, match=r"no Sentinel names a primary 'other'.*No such master"):
            open_storage(sentinel_redis.url.replace("/tasks/", "/other/"))

    def test_sentinels_that_do_not_answer_are_named_without_the_password(self) -> None:
        first, second = free_port(), free_port()
        with pytest.raises(StorageUnavailable, match=f"{HOST}:{first}.*refused.*{HOST}:{second}") as caught:
            open_storage(
                f"redis+sentinel://me:{SECRET}@{HOST}:{first},{HOST}:{second}/tasks?sentinel_password={SECRET}"
            )
        assert SECRET not in str(caught.value)

    def test_a_user_who_may_not_ask_for_the_role_can_work(self, sentinel_redis: SentinelRedis) -> None:
        for server in sentinel_redis.servers:
            sentinel_redis.admin(server).execute_command(
                "ACL", "SETUSER", "worker", "on", f">{SECRET}", "~dq:*", "+@all", "-@admin", "-@dangerous"
            )
        storage = open_storage(sentinel_redis.url.replace("://", f"://worker:{SECRET}@"))
        enqueue(storage, "t1")
        assert claim_ids(storage) == ["t1"]
        assert SECRET not in storage.health().url
        storage.close()


class TestFailOver:
    """Another server takes the primary's place."""

    def test_a_call_goes_on_with_the_new_primary(self, storage: Storage, sentinel_redis: SentinelRedis) -> None:
        enqueue(storage, "t1", "t2")
        (task,) = claim(storage, limit=1)
        sentinel_redis.fail_over()
        assert storage.settle([complete(task)]) == [True]
        assert claim_ids(storage) == ["t2"]

    def test_waits_survive_it(self, storage: Storage, sentinel_redis: SentinelRedis) -> None:
        storage.configure(Q, {})
        with ThreadPoolExecutor() as threads:
            work = threads.submit(storage.wait, [Q], LIMIT)
            news = threads.submit(storage.journal, Q, 0, 10, LIMIT)
            sentinel_redis.fail_over(kill=False)

            def both_are_told() -> bool:
                # The old primary may take a task yet, which nobody hears of.
                enqueue(storage, new_task_id())
                return work.done() and news.done()

            wait_until("both are told", both_are_told)
            assert work.result() == (Q,)
            assert len(news.result()) >= 1

    def test_an_old_primary_that_answers_still_gets_no_more(
        self, storage: Storage, sentinel_redis: SentinelRedis
    ) -> None:
        storage.configure(Q, {})
        old = sentinel_redis.admin(sentinel_redis.primary())
        old.execute_command("ACL SETUSER default -replicaof -slaveof -client|kill")
        try:
            sentinel_redis.fail_over(kill=False)
            new = sentinel_redis.admin(sentinel_redis.primary())

            def it_gets_tasks() -> bool:
                enqueue(storage, new_task_id())
                return bool(new.zcard(f"dq:{{{Q}}}:ready"))

            wait_until("the new primary gets tasks", it_gets_tasks)
            assert old.role()[0] == "master"
        finally:
            old.execute_command("ACL SETUSER default +@all")
