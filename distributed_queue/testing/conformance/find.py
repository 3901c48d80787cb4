"""Listing and looking up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import TaskFilter
from distributed_queue.errors import InvalidCursor
from distributed_queue.testing.builders import Q, bury, complete, lease_of, new_task, retry, stop
from distributed_queue.testing.steps import REACHABLE, bring_to, claim, claim_one, enqueue, listed, settle, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import ClaimedTask, Settlement, Storage


def ids(storage: Storage, where: TaskFilter | None = None, limit: int = 100) -> list[str]:
    """The ids of all tasks that match."""
    return [task.id for task in listed(storage, where, limit)]


class TestFind:
    """``find``."""

    def test_states_come_in_their_order(self, storage: Storage, zoo: list[str]) -> None:
        assert ids(storage) == zoo

    def test_queues_come_by_name(self, storage: Storage) -> None:
        for queue in ("b", "a", "B", "a.b", "c"):
            enqueue(storage, f"in-{queue}", queue=queue)
        assert ids(storage) == ["in-B", "in-a", "in-a.b", "in-b", "in-c"]

    def test_the_queue_goes_before_the_state(self, storage: Storage) -> None:
        bring_to(storage, TaskStatus.PROCESSING, "t1", queue="b")
        bring_to(storage, TaskStatus.EXPIRED, "t2", queue="a")
        assert ids(storage) == ["t2", "t1"]

    @pytest.mark.parametrize("state", REACHABLE, ids=str)
    def test_one_state_can_be_asked_for(self, storage: Storage, zoo: list[str], state: TaskStatus) -> None:
        assert ids(storage, TaskFilter(status=state)) == [str(state)]
        assert ids(storage, TaskFilter(queue=Q, status=state)) == [str(state)]
        assert ids(storage, TaskFilter(queue="other", status=state)) == []

    def test_nothing_is_in_a_state_that_no_task_is_in(self, storage: Storage, zoo: list[str]) -> None:
        assert ids(storage, TaskFilter(status=TaskStatus.BLOCKED)) == []

    def test_one_queue_can_be_asked_for(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        enqueue(storage, "t2", queue="b")
        assert ids(storage, TaskFilter(queue="b")) == ["t2"]
        assert ids(storage, TaskFilter(queue="nobody")) == []

    def test_one_type_can_be_asked_for(self, storage: Storage) -> None:
        for number in range(20):
            enqueue(storage, f"t{number:02}", task_type="rare" if number % 7 == 0 else "common")
        assert ids(storage, TaskFilter(type="rare")) == ["t00", "t07", "t14"]
        assert ids(storage, TaskFilter(type="rare"), limit=1) == ["t00", "t07", "t14"]
        assert ids(storage, TaskFilter(type="rare", status=TaskStatus.DEAD)) == []
        assert ids(storage, TaskFilter(type="unknown")) == []

    def test_an_empty_storage_has_nothing_to_list(self, storage: Storage) -> None:
        page = storage.find(TaskFilter())
        assert (page.tasks, page.cursor) == ([], None)

    def test_listed_tasks_are_as_complete_as_single_ones_but_for_the_history(
        self, storage: Storage, zoo: list[str]
    ) -> None:
        single = [each for each in storage.get(zoo, Q) if each is not None]
        assert listed(storage) == [msgspec.structs.replace(each, history=()) for each in single]


class TestOrderWithinAState:
    """``find``: the order in each state."""

    def test_pending_tasks_come_as_they_run(self, storage: Storage) -> None:
        enqueue(storage, "b", "a")
        enqueue(storage, "urgent", priority=1)
        enqueue(storage, "last", priority=1000)
        assert ids(storage) == ["urgent", "b", "a", "last"]

    def test_scheduled_tasks_come_by_due_time_then_id(self, storage: Storage) -> None:
        for task_id, delay in (("b", 2), ("c", 1), ("a", 2), ("d", 3)):
            enqueue(storage, task_id, delay=delay)
        assert ids(storage) == ["c", "a", "b", "d"]

    def test_retrying_tasks_come_by_due_time_then_id(self, storage: Storage) -> None:
        enqueue(storage, *"abcd")
        storage.settle([retry(task, delay) for task, delay in zip(claim(storage), (2, 3, 2, 1), strict=True)])
        assert ids(storage) == ["d", "a", "c", "b"]

    def test_running_tasks_come_by_deadline_then_id(self, storage: Storage) -> None:
        enqueue(storage, *"dabc")
        leases = {task.id: lease_of(task) for task in claim(storage, lease_seconds=10)}
        storage.extend([leases["b"]], 5)
        assert ids(storage) == ["b", "a", "c", "d"]

    @pytest.mark.parametrize("ending", [complete, bury, stop], ids=["completed", "dead", "cancelled"])
    def test_finished_tasks_come_the_latest_first(
        self, storage: Storage, clock: ManualClock, ending: Callable[[ClaimedTask], Settlement]
    ) -> None:
        enqueue(storage, *"abcd")
        a, b, c, d = claim(storage)
        settle(storage, ending(d))
        clock.advance(1)
        storage.settle([ending(c), ending(a)])
        clock.advance(1)
        settle(storage, ending(b))
        assert ids(storage) == ["b", "c", "a", "d"]
        assert ids(storage, limit=1) == ["b", "c", "a", "d"]


class TestPages:
    """``find``: cursors."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
    def test_pages_put_together_are_the_whole_listing(self, storage: Storage, zoo: list[str], limit: int) -> None:
        enqueue(storage, "t1", "t2", "t3", queue="r")
        assert ids(storage, limit=limit) == [*zoo, "t1", "t2", "t3"]

    @pytest.mark.parametrize("limit", [1, 10, 97])
    def test_a_long_listing_of_equal_times_has_no_gaps_and_no_doubles(self, storage: Storage, limit: int) -> None:
        names = [f"t{number:03}" for number in range(200)]
        enqueue(storage, *names)
        storage.settle([bury(task) for task in claim(storage, limit=200)])
        assert ids(storage, TaskFilter(Q, TaskStatus.DEAD), limit) == names[::-1]

    def test_a_page_has_no_more_than_was_asked_for(self, storage: Storage, zoo: list[str]) -> None:
        page = storage.find(TaskFilter(), limit=3)
        assert [task.id for task in page.tasks] == zoo[:3]
        assert page.cursor is not None

    def test_the_last_page_has_no_cursor(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        assert storage.find(TaskFilter(), limit=3).cursor is None

    def test_a_listing_goes_on_where_it_was_though_tasks_before_are_gone(self, storage: Storage) -> None:
        for task_id in "abcdef":
            bring_to(storage, TaskStatus.DEAD, task_id)
        first = storage.find(TaskFilter(Q, TaskStatus.DEAD), limit=3)
        assert [task.id for task in first.tasks] == ["f", "e", "d"]
        storage.delete(Q, ["d", "f"])
        second = storage.find(TaskFilter(Q, TaskStatus.DEAD), first.cursor, 3)
        assert [task.id for task in second.tasks] == ["c", "b", "a"]

    def test_a_second_client_can_go_on(self, storage: Storage, second_storage: Storage, zoo: list[str]) -> None:
        first = storage.find(TaskFilter(), limit=3)
        assert [task.id for task in second_storage.find(TaskFilter(), first.cursor).tasks] == zoo[3:]

    @pytest.mark.parametrize("cursor", ["", "nonsense", "AAAA", "\x00", "ünïcödé", "x" * 5000])
    def test_an_invented_cursor_is_refused(self, storage: Storage, cursor: str) -> None:
        enqueue(storage, "t1")
        with pytest.raises(InvalidCursor):
            storage.find(TaskFilter(), cursor)


class TestGet:
    """``get``."""

    def test_tasks_come_in_the_order_asked_for(self, storage: Storage) -> None:
        enqueue(storage, "t1", "t2")
        found = storage.get(["t2", "nobody", "t1", "t2"], Q)
        assert [None if task is None else task.id for task in found] == ["t2", None, "t1", "t2"]

    def test_nothing_is_found_by_an_empty_call(self, storage: Storage) -> None:
        assert storage.get([]) == []
        assert storage.get([], Q) == []

    def test_a_task_is_found_only_in_its_queue(self, storage: Storage) -> None:
        enqueue(storage, "t1", queue="a")
        assert storage.get(["t1"], "b") == [None]

    def test_without_a_queue_the_first_by_name_that_has_it_counts(self, storage: Storage) -> None:
        storage.enqueue([new_task("t1", queue=queue, body=queue.encode()) for queue in ("c", "b")])
        storage.enqueue([new_task("t2", queue="c"), new_task("t3", queue="a")])
        found = storage.get(["t1", "t2", "nobody", "t3"])
        assert [None if task is None else task.queue for task in found] == ["b", "c", None, "a"]

    def test_a_running_task_shows_who_runs_it(self, storage: Storage, clock: ManualClock) -> None:
        enqueue(storage, "t1")
        claim_one(storage, worker="w7", lease_seconds=10)
        task = stored(storage)
        assert (task.worker_id, task.lease_expires_at, task.started_at) == ("w7", clock.now() + 10, clock.now())
