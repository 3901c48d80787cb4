"""Replies of a Redis that are lost after it did its work: asked again, it answers as it did, and does no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Command, TaskUpdate
from distributed_queue.errors import StorageUnavailable
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.testing.builders import Q, bury, complete, new_task, release, request, retry, worker_info
from distributed_queue.testing.proxy import FaultProxy
from distributed_queue.testing.servers import HOST
from distributed_queue.testing.steps import bring_to, claim, counter, enqueue, events, stats, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.testing.servers import RedisServer

ENDLESS = 10**6


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[FaultProxy]:
    redis_server.flush()
    with FaultProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def storage(proxy: FaultProxy) -> Iterator[RedisStorage]:
    """A client that knows its server, and whose server knows the scripts."""
    storage = RedisStorage.from_url(f"redis://{HOST}:{proxy.port}/0")
    enqueue(storage, "w1", "w2", queue="warm")
    storage.exchange([complete(task) for task in claim(storage, "warm", limit=1)], request("warm"))
    storage.requeue("warm", ["w1"])
    storage.delete("warm", ["w1"])
    storage.update("warm", "w2", TaskUpdate(priority=1))
    storage.clear("warm")
    storage.command("nobody", Command(action="pause"))
    storage.beat(worker_info("nobody"))
    yield storage
    storage.close()


class TestOneLostReply:
    """The client tries again by itself."""

    @pytest.mark.parametrize("replies", [1, 3])
    def test_a_batch_is_stored_once_and_reported_as_new(
        self, storage: RedisStorage, proxy: FaultProxy, replies: int
    ) -> None:
        proxy.swallow(replies)
        assert enqueue(storage, "t1", "t2", "t1") == [True, True, False]
        assert proxy.swallowed == replies
        assert stats(storage).depth == 2
        assert (counter(storage, "enqueued|mail"), counter(storage, "deduplicated|mail")) == (2, 1)
        assert events(storage) == [("enqueued", "t1"), ("enqueued", "t2")]

    def test_a_batch_for_several_queues_is_stored_once(self, storage: RedisStorage, proxy: FaultProxy) -> None:
        proxy.swallow(1)
        assert storage.enqueue([new_task(queue=queue) for queue in ("a", "b", "a")]) == [True, True, False]
        assert proxy.swallowed == 1
        assert [figures.depth for figures in storage.stats(["a", "b"])] == [1, 1]

    def test_claimed_tasks_are_handed_over_all_the_same(self, storage: RedisStorage, proxy: FaultProxy) -> None:
        enqueue(storage, *"abcde")
        proxy.swallow(1)
        tasks = claim(storage, limit=3)
        assert proxy.swallowed == 1
        assert [(task.id, task.attempt) for task in tasks] == [("a", 1), ("b", 1), ("c", 1)]
        assert stats(storage).counts[TaskStatus.PROCESSING] == 3
        assert counter(storage, "started|mail") == 3
        assert storage.settle([complete(task) for task in tasks]) == [True] * 3

    def test_settlements_count_once(self, storage: RedisStorage, proxy: FaultProxy) -> None:
        enqueue(storage, *"abc")
        a, b, c = claim(storage)
        proxy.swallow(1)
        assert storage.settle([complete(a, b"done"), retry(b, 60), bury(c)]) == [True] * 3
        assert proxy.swallowed == 1
        assert [stored(storage, task_id).failures for task_id in "abc"] == [0, 1, 1]
        assert counter(storage, "fenced.settle|") == 0

    def test_a_task_released_and_claimed_in_one_exchange_counts_as_released(
        self, storage: RedisStorage, proxy: FaultProxy
    ) -> None:
        enqueue(storage, "t1")
        (task,) = claim(storage)
        proxy.swallow(1)
        answer = storage.exchange([release(task)], request())
        assert proxy.swallowed == 1
        assert (answer.settled, [each.attempt for each in answer.claim.tasks]) == ([True], [2])
        assert counter(storage, "fenced.settle|") == 0

    def test_a_release_counts_though_another_worker_has_the_task_by_now(
        self, storage: RedisStorage, proxy: FaultProxy, redis_server: RedisServer
    ) -> None:
        other = RedisStorage.from_url(redis_server.url)
        enqueue(storage, "t1")
        (task,) = claim(storage)
        proxy.swallow(1)
        assert storage.settle([release(task)]) == [True]
        assert [each.attempt for each in claim(other, worker="other")] == [2]
        other.close()

    @pytest.mark.parametrize("verb", ["requeue", "delete"])
    def test_a_control_verb_answers_as_at_first(self, storage: RedisStorage, proxy: FaultProxy, verb: str) -> None:
        bring_to(storage, TaskStatus.DEAD, "t1")
        proxy.swallow(1)
        assert getattr(storage, verb)(Q, ["t1", "nobody"]) == [True, False]
        assert proxy.swallowed == 1

    def test_an_update_is_journalled_once(self, storage: RedisStorage, proxy: FaultProxy) -> None:
        enqueue(storage, "t1")
        proxy.swallow(1)
        assert storage.update(Q, "t1", TaskUpdate(priority=3))
        assert proxy.swallowed == 1
        assert events(storage)[1:] == [("updated", "t1")]

    def test_a_clear_counts_all_that_there_was(self, storage: RedisStorage, proxy: FaultProxy) -> None:
        enqueue(storage, *"abc")
        proxy.swallow(1)
        assert storage.clear(Q) == 3
        assert proxy.swallowed == 1
        assert events(storage)[3:] == [("cleared", "")]

    def test_a_command_is_left_once_and_not_lost_with_the_answer_to_a_beat(
        self, storage: RedisStorage, proxy: FaultProxy
    ) -> None:
        command = Command(action="scale", max_workers=3)
        proxy.swallow(1)
        storage.command("w1", command)
        proxy.swallow(1)
        assert storage.beat(worker_info("w1")).commands == [command]
        assert proxy.swallowed == 2
        assert storage.beat(worker_info("w1")).commands == []


class TestUnansweredExchange:
    """Every try of an exchange did its work and was never answered."""

    def test_the_worker_gets_the_tasks_with_its_next_exchange(self, storage: RedisStorage, proxy: FaultProxy) -> None:
        enqueue(storage, *"abcde")
        (first,) = claim(storage, limit=1)
        proxy.swallow(ENDLESS)
        with pytest.raises(StorageUnavailable):
            storage.exchange([complete(first, b"done")], request(limit=2))
        proxy.swallow(0)
        answer = storage.exchange([complete(first, b"done")], request(limit=3))
        assert answer.settled == [True]
        assert [(task.id, task.attempt) for task in answer.claim.tasks] == [("b", 1), ("c", 1), ("d", 1)]
        assert counter(storage, "attempts.succeeded|mail") == 1
        assert [task.id for task in claim(storage)] == ["e"]

    def test_no_other_worker_gets_them(self, storage: RedisStorage, proxy: FaultProxy) -> None:
        enqueue(storage, *"abc")
        proxy.swallow(ENDLESS)
        with pytest.raises(StorageUnavailable):
            storage.claim(request(limit=2, worker="w1"))
        proxy.swallow(0)
        assert [task.id for task in claim(storage, worker="w2")] == ["c"]
        assert [task.id for task in claim(storage, worker="w1")] == ["a", "b"]
