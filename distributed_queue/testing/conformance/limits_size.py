"""The size limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.errors import QueueFull
from distributed_queue.testing.builders import Q, complete, new_task, release, retry
from distributed_queue.testing.steps import REACHABLE, bring_to, claim_ids, claim_one, enqueue, settle, stats

if TYPE_CHECKING:
    from distributed_queue.core.storage import Storage

WAITING = {TaskStatus.PENDING, TaskStatus.SCHEDULED, TaskStatus.RETRYING}


class TestSizeLimit:
    """``max_size``."""

    def test_a_full_queue_refuses_and_says_why(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 3})
        enqueue(storage, "t1", "t2", "t3")
        with pytest.raises(QueueFull) as caught:
            enqueue(storage, "t4")
        full = caught.value
        assert (full.queue, full.depth, full.limit) == (Q, 3, 3)
        assert full.retry_after > 0
        assert claim_ids(storage) == ["t1", "t2", "t3"]

    def test_a_batch_that_does_not_fit_stores_nothing(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 3})
        enqueue(storage, "t1")
        with pytest.raises(QueueFull) as caught:
            enqueue(storage, "t2", "t3", "t4")
        assert caught.value.depth == 1
        assert stats(storage).depth == 1
        assert enqueue(storage, "t2", "t3") == [True, True]

    def test_a_batch_for_several_queues_is_stored_in_none_if_one_is_full(self, storage: Storage) -> None:
        storage.configure("b", {"max_size": 0})
        with pytest.raises(QueueFull) as caught:
            storage.enqueue([new_task("t1", queue="a"), new_task("t2", queue="b"), new_task("t3", queue="c")])
        assert caught.value.queue == "b"
        assert storage.get(["t1", "t2", "t3"]) == [None] * 3

    def test_a_refused_task_is_neither_counted_nor_journalled(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 0})
        tail = storage.journal_tail(Q)
        with pytest.raises(QueueFull):
            enqueue(storage, "t1")
        assert stats(storage).counters == {}
        assert storage.journal_tail(Q) == tail

    def test_known_ids_need_no_room(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 2})
        enqueue(storage, "t1", "t2")
        assert enqueue(storage, "t2", "t1") == [False, False]

    def test_an_id_twice_in_a_batch_needs_room_once(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 2})
        assert enqueue(storage, "t1", "t1", "t2", "t2") == [True, False, True, False]

    @pytest.mark.parametrize("state", REACHABLE, ids=str)
    def test_what_has_still_to_run_takes_room(self, storage: Storage, state: TaskStatus) -> None:
        bring_to(storage, state, "first")
        storage.configure(Q, {"max_size": 1})
        if state in WAITING:
            with pytest.raises(QueueFull):
                enqueue(storage, "t2")
        else:
            assert enqueue(storage, "t2") == [True]

    def test_a_delayed_task_needs_room(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 1})
        enqueue(storage, "t1")
        with pytest.raises(QueueFull):
            enqueue(storage, "t2", delay=100)

    def test_claiming_makes_room(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 1})
        enqueue(storage, "t1")
        settle(storage, complete(claim_one(storage)))
        assert enqueue(storage, "t2") == [True]

    def test_a_task_given_back_needs_no_room(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 1})
        enqueue(storage, "t1")
        first = claim_one(storage)
        enqueue(storage, "t2")
        second = claim_one(storage)
        enqueue(storage, "t3")
        assert storage.settle([release(first), retry(second)]) == [True, True]
        assert stats(storage).depth == 3

    def test_a_limit_below_the_depth_keeps_what_is_there(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2", "t3")
        storage.configure(Q, {"max_size": 1})
        assert stats(storage).depth == 3
        claim_one(storage)
        with pytest.raises(QueueFull) as caught:
            enqueue(storage, "t4")
        assert (caught.value.depth, caught.value.limit) == (2, 1)

    def test_a_limit_can_be_lifted(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 0})
        storage.configure(Q, {"max_size": None})
        assert enqueue(storage, "t1") == [True]

    def test_the_limit_holds_for_every_client(self, storage: Storage, second_storage: Storage) -> None:
        enqueue(second_storage, "t1")
        storage.configure(Q, {"max_size": 2})
        enqueue(storage, "t2")
        with pytest.raises(QueueFull):
            enqueue(second_storage, "t3")
