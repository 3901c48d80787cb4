"""Storing tasks: all or none, each id once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import StoredTask
from distributed_queue.errors import InvalidQueueName
from distributed_queue.testing.builders import Q, new_task
from distributed_queue.testing.steps import (
    REACHABLE,
    bring_to,
    claim_ids,
    claim_one,
    enqueue,
    listed,
    stats,
    status,
    stored,
)

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

UUID7 = "0190a3f2-7c1b-7def-8123-456789abcdef"
IDS = {
    "short": "7",
    "punctuated": "a.b_c:d-e",
    "uuid7": UUID7,
    "uuid7 in capitals": UUID7.upper(),
    "uuid7 without hyphens": UUID7.replace("-", ""),
    "uuid4": "9f1c2e0a-3b4d-4c5e-8f60-718293a4b5c6",
    "sixteen letters": "abcdefghijklmnop",
    "longest": "x" * 200,
}
BODIES = {
    "empty": b"",
    "zero byte": b"\x00",
    "every byte": bytes(range(256)),
    "quotes": b"'\"`;--",
    "a mebibyte": b"\xc4" * (1 << 20),
}
TYPES = ["default", "a type with spaces", "smörgås→", 'it\'s|a:"type"{q}', "t" * 200]
QUEUES = ["a", "0", "A.b_c-9", "q" * 100]
BAD_QUEUES = ["", " ", "two words", "a/b", "{q}", "schlange🐍", "q\n", "q" * 101]


class TestEnqueue:
    """``enqueue``."""

    def test_a_new_task_is_stored_with_all_its_fields(self, storage: Storage, clock: ManualClock) -> None:
        now = clock.now()
        new = new_task(task_type="mail", priority=7, body=b"body", expires_at=now + 60)
        assert storage.enqueue([new]) == [True]
        assert storage.get(["t1"], Q) == [
            StoredTask(
                queue=Q,
                id="t1",
                type="mail",
                status=TaskStatus.PENDING,
                priority=7,
                body=b"body",
                created_at=now,
                expires_at=now + 60,
            )
        ]

    def test_nothing_is_enqueued_by_an_empty_batch(self, storage: Storage) -> None:
        assert storage.enqueue([]) == []
        assert storage.queues() == ()

    def test_a_batch_is_answered_task_by_task(self, storage: Storage) -> None:
        assert enqueue(storage, "t1", "t2") == [True, True]
        assert enqueue(storage, "t2", "t3", "t1") == [False, True, False]

    def test_a_known_id_leaves_the_stored_task_as_it_is(self, storage: Storage, clock: ManualClock) -> None:
        storage.enqueue([new_task(body=b"first", priority=1)])
        before = stored(storage)
        clock.advance(1)
        assert storage.enqueue([new_task(body=b"second", priority=2, task_type="other", delay=5)]) == [False]
        assert stored(storage) == before

    def test_an_id_twice_in_a_batch_is_stored_once(self, storage: Storage) -> None:
        assert storage.enqueue([new_task(body=b"first"), new_task(body=b"second")]) == [True, False]
        assert stored(storage).body == b"first"
        assert stats(storage).depth == 1

    @pytest.mark.parametrize("state", REACHABLE, ids=str)
    def test_an_id_is_known_in_every_state(self, storage: Storage, state: TaskStatus) -> None:
        before = bring_to(storage, state)
        assert enqueue(storage, "t1") == [False]
        assert stored(storage) == before

    def test_queues_have_their_own_ids(self, storage: Storage) -> None:
        assert enqueue(storage, "t1", queue="a") == [True]
        assert enqueue(storage, "t1", queue="b") == [True]
        assert [status(storage, "t1", queue) for queue in ("a", "b")] == [TaskStatus.PENDING] * 2

    def test_a_batch_may_go_to_several_queues(self, storage: Storage) -> None:
        batch = [new_task("t1", queue="a"), new_task("t2", queue="b"), new_task("t3", queue="a")]
        assert storage.enqueue(batch) == [True, True, True]
        assert claim_ids(storage, "a") == ["t1", "t3"]
        assert claim_ids(storage, "b") == ["t2"]

    def test_a_large_batch_keeps_its_order(self, storage: Storage) -> None:
        ids = [f"t{number}" for number in range(2500)]
        assert enqueue(storage, *ids) == [True] * 2500
        assert claim_ids(storage, limit=3000) == ids

    def test_an_id_is_free_again_once_its_task_is_deleted(self, storage: Storage) -> None:
        bring_to(storage, TaskStatus.DEAD)
        storage.delete(Q, ["t1"])
        assert storage.enqueue([new_task(body=b"anew")]) == [True]
        task = stored(storage)
        assert (task.body, task.status, task.attempt, task.failures) == (b"anew", TaskStatus.PENDING, 0, 0)

    def test_a_second_client_sees_what_the_first_stored(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(storage, "t1")
        assert stored(second_storage) == stored(storage)
        assert enqueue(second_storage, "t1", "t2") == [False, True]

    @pytest.mark.parametrize("task_id", IDS.values(), ids=IDS.keys())
    def test_an_id_comes_back_as_it_was_given(self, storage: Storage, task_id: str) -> None:
        assert enqueue(storage, task_id) == [True]
        assert enqueue(storage, task_id) == [False]
        assert stored(storage, task_id).id == task_id
        assert [task.id for task in listed(storage)] == [task_id]
        assert claim_ids(storage) == [task_id]

    def test_ids_that_differ_in_spelling_are_different_tasks(self, storage: Storage) -> None:
        ids = [
            UUID7,
            UUID7.upper(),
            UUID7.replace("-", ""),
            # The text, and the UUID with the same sixteen bytes.
            "0123456789abcdef",
            "30313233-3435-3637-3839-616263646566",
        ]
        assert enqueue(storage, *ids) == [True] * len(ids)
        assert claim_ids(storage) == ids

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
    def test_a_body_comes_back_byte_for_byte(self, storage: Storage, body: bytes) -> None:
        storage.enqueue([new_task(body=body)])
        assert stored(storage).body == body
        assert claim_one(storage).body == body

    @pytest.mark.parametrize("task_type", TYPES)
    def test_a_type_comes_back_as_it_was_given(self, storage: Storage, task_type: str) -> None:
        enqueue(storage, "t1", task_type=task_type)
        assert stored(storage).type == task_type

    @pytest.mark.parametrize("priority", [0, 1, 100, 1000])
    def test_a_priority_comes_back_as_it_was_given(self, storage: Storage, priority: int) -> None:
        enqueue(storage, "t1", priority=priority)
        assert stored(storage).priority == priority

    @pytest.mark.parametrize("queue", QUEUES)
    def test_a_queue_is_made_by_its_first_task(self, storage: Storage, queue: str) -> None:
        enqueue(storage, "t1", queue=queue)
        assert storage.queues() == (queue,)
        assert claim_ids(storage, queue) == ["t1"]

    @pytest.mark.parametrize("queue", BAD_QUEUES)
    def test_a_bad_queue_name_stores_nothing_of_the_batch(self, storage: Storage, queue: str) -> None:
        with pytest.raises(InvalidQueueName):
            storage.enqueue([new_task("t1", queue="good"), new_task("t2", queue=queue)])
        assert storage.queues() == ()
