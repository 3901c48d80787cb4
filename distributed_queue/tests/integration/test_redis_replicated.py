"""A Redis that acknowledges only what its replica has confirmed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import redis

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.registry import open_storage
from distributed_queue.core.worker import Worker, WorkerConfig, current_task
from distributed_queue.errors import NotReplicated, StorageUnavailable
from distributed_queue.testing.builders import complete, request
from distributed_queue.testing.servers import HOST
from distributed_queue.testing.steps import claim, claim_one, enqueue, stats, stored
from distributed_queue.tests.integration.redis_replicas import Pair, replicated
from distributed_queue.tests.steps import LIMIT, eventually, put
from distributed_queue.tests.surfaces.api_server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import Storage


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with replicated(tmp_path_factory.mktemp("replicated")) as servers:
        yield servers


@pytest.fixture
def storage(pair: Pair) -> Iterator[Storage]:
    """An empty storage that waits for the replica."""
    pair.continue_replica()
    pair.primary.flush()
    opened = open_storage(pair.url)
    yield opened
    pair.continue_replica()
    opened.close()


def test_what_is_acknowledged_is_on_the_replica(pair: Pair, storage: Storage) -> None:
    assert enqueue(storage, "a", "b") == [True, True]
    with redis.Redis(port=pair.replica.port) as replica:
        assert replica.zcard("dq:{q}:ready") == 2


def test_a_submission_that_no_replica_confirms_is_not_acknowledged(pair: Pair, storage: Storage) -> None:
    pair.stop_replica()
    with pytest.raises(NotReplicated, match="the same ids") as caught:
        enqueue(storage, "a")
    assert (caught.value.confirmed, caught.value.wanted) == (0, 1)


def test_a_submission_is_not_acknowledged_by_a_primary_that_is_demoted_while_it_waits(
    pair: Pair, storage: Storage
) -> None:
    enqueue(storage, "a")
    pair.stop_replica()
    with redis.Redis(port=pair.primary.port) as primary, ThreadPoolExecutor(1) as pool:
        submission = pool.submit(enqueue, storage, "b")
        eventually(lambda: primary.info("clients")["blocked_clients"] == 1)
        primary.execute_command("REPLICAOF", HOST, 1)
        try:
            with pytest.raises(StorageUnavailable):
                submission.result(LIMIT)
        finally:
            primary.execute_command("REPLICAOF", "NO", "ONE")


def test_a_submission_that_is_repeated_waits_for_the_replica_again(pair: Pair, storage: Storage) -> None:
    pair.stop_replica()
    for _ in range(2):
        with pytest.raises(NotReplicated):
            enqueue(storage, "a")
    other = open_storage(pair.url)
    with pytest.raises(NotReplicated):
        enqueue(other, "a")  # which writes no task, on a connection that has written nothing
    pair.continue_replica()
    assert enqueue(storage, "a") == [False]
    assert stats(storage).counts[TaskStatus.PENDING] == 1
    other.close()


def test_a_script_that_the_server_did_not_know_is_waited_for(pair: Pair, storage: Storage) -> None:
    enqueue(storage, "a")
    with redis.Redis(port=pair.primary.port) as primary:
        primary.script_flush()
    pair.stop_replica()
    with pytest.raises(NotReplicated):
        enqueue(storage, "b")


def test_an_outcome_counts_once_the_replica_has_it(pair: Pair, storage: Storage) -> None:
    enqueue(storage, "a", "b")
    task = claim_one(storage)
    pair.stop_replica()
    with pytest.raises(NotReplicated):
        storage.exchange([complete(task)], request(limit=1))
    pair.continue_replica()
    answer = storage.exchange([complete(task)], request(limit=1))
    assert answer.settled == [True]
    assert [each.id for each in answer.claim.tasks] == ["b"]
    assert stored(storage, "a").status is TaskStatus.COMPLETED


def test_work_is_claimed_and_read_without_the_replica(pair: Pair, storage: Storage) -> None:
    enqueue(storage, "a")
    pair.stop_replica()
    (task,) = claim(storage)
    assert stored(storage, task.id).attempt == 1


def test_over_rest_a_repeated_submission_is_acknowledged_once_it_is_replicated(pair: Pair, storage: Storage) -> None:
    body = {"payload": {"type": "simple"}}
    headers = {"Idempotency-Key": "order-17"}
    with HybridQueue.from_url(pair.url) as queue, serve(queue) as api:
        pair.stop_replica()
        for _ in range(2):
            refused = api.client.post("/tasks", json=body, headers=headers)
            api.problem(refused, 503, "not-replicated")
            assert int(refused.headers["retry-after"]) > 0
        pair.continue_replica()
        answer = api.client.post("/tasks", json=body, headers=headers)
        assert answer.is_success
        assert [task["task_id"] for task in api.get("/tasks")["items"]] == [answer.json()["task_id"]]


def test_a_worker_tells_an_outcome_until_the_replica_has_it(
    pair: Pair, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = []

    def handle(data: object) -> str:
        attempts.append(current_task().attempt)
        pair.stop_replica()
        return "done"

    with HybridQueue.from_url(pair.url) as queue:
        task = put(queue, {"type": "work"})
        worker = Worker(queue, WorkerConfig(name="w"))
        worker.register_handler("work", handle)
        worker.start()
        eventually(lambda: "the worker goes on trying" in caplog.text)
        assert worker.get_stats()["processed"] == 0
        pair.continue_replica()
        eventually(lambda: worker.get_stats()["processed"] == 1)
        worker.stop()
        assert queue.wait_result(task.task_id, LIMIT) == "done"
    assert attempts == [1]
    assert "0 of its replicas confirmed" in caplog.text
