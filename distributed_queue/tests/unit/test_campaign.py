"""What a campaign draws from its seed, and what it makes of the times of its events."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING

from distributed_queue.testing.campaign.events import Events
from distributed_queue.testing.campaign.faults import STORAGE, FaultKind
from distributed_queue.testing.campaign.faults.processes import STOP
from distributed_queue.testing.campaign.members import Crew
from distributed_queue.testing.campaign.nemesis import Nemesis
from distributed_queue.testing.campaign.workload import Workload
from distributed_queue.testing.proof.records import Fault
from distributed_queue.testing.proof.simulation import MemoryHistory

if TYPE_CHECKING:
    from distributed_queue.core.task import Task

HOSTILE = ("hog", "segfault")


def content(batch: list[Task]) -> list[tuple[object, ...]]:
    """All but the times, which are counted from now."""
    return [(task.task_id, task.queue, task.priority, task.payload, task.delay, task.max_retries) for task in batch]


def workload(seed: str = "1", producer: str = "p", hostile_every: int = 50) -> Workload:
    return Workload(seed, producer, HOSTILE, hostile_every)


def struck(seed: str, faults: int) -> list[str]:
    """The faults of a nemesis in the order in which they struck, as far as it had time for them."""
    order: list[str] = []

    def kind(name: str) -> FaultKind:
        def strike(target: str) -> nullcontext[None]:
            order.append(f"{name} at {target}")
            return nullcontext()

        return FaultKind(name, (STORAGE,), strike, weight=2)

    kinds = [kind(name) for name in "abcdef"]
    Nemesis(kinds, Crew([], []), MemoryHistory(), seed, pause_seconds=0.0).run(math.inf, faults)
    return order


def test_a_batch_is_the_same_each_time() -> None:
    for number in range(30):
        assert content(workload().batch(number)) == content(workload().batch(number))


def test_another_seed_producer_or_number_gives_other_batches() -> None:
    def payloads(workload: Workload, first: int = 0) -> list[object]:
        return [task.payload for number in range(first, first + 5) for task in workload.batch(number)]

    same = payloads(workload())
    assert same not in (payloads(workload("2")), payloads(workload(producer="q")), payloads(workload(), 5))


def test_ids_are_never_used_twice() -> None:
    ids = [task.task_id for name in "pq" for number in range(50) for task in workload(producer=name).batch(number)]
    assert len(set(ids)) == len(ids) > 1000


def test_hostile_tasks_are_among_them_in_small_numbers() -> None:
    kinds = [task.type for number in range(60) for task in workload().batch(number)]
    assert set(HOSTILE) <= set(kinds)
    assert sum(kind in HOSTILE for kind in kinds) < len(kinds) / 20


def test_the_same_seed_strikes_in_the_same_order() -> None:
    assert struck("1", 20) == struck("1", 20) != struck("2", 20)


def test_every_kind_has_struck_before_the_pack_is_shuffled_again() -> None:
    assert sorted(struck("3", 12)) == sorted(f"{name} at {STORAGE}" for name in "abcdef" for _ in range(2))


def test_every_fault_is_written_down() -> None:
    history = MemoryHistory()
    kinds = [FaultKind("broken", (STORAGE,), lambda _: nullcontext())]
    Nemesis(kinds, Crew([], []), history, "1", pause_seconds=0.0).run(math.inf, 3)
    assert [
        (each.fault, each.target, each.begin <= each.end) for each in history.records if isinstance(each, Fault)
    ] == [("broken", "", True)] * 3


def fault(name: str, begin: float, end: float, target: str = "") -> Fault:
    return Fault(fault=name, target=target, begin=begin, end=end)


def test_work_has_resumed_with_the_next_completion() -> None:
    events = Events([1.0, 5.25, 9.0], [])
    assert events.resumptions([5.0, 8.0]) == ([0.25, 1.0], 0)


def test_work_that_never_resumes_takes_for_ever() -> None:
    assert Events([1.0], []).resumptions([5.0]) == ([math.inf], 0)


def test_a_storage_that_fails_again_before_a_completion_is_counted_apart() -> None:
    events = Events([1.0, 9.0], [fault("redis killed", 6.0, 8.0), fault("worker killed", 5.5, 5.5, "worker-1.1")])
    assert events.resumptions([5.0, 8.0]) == ([1.0], 1)


def test_stops_count_where_the_storage_was_well_meanwhile() -> None:
    stops = [fault(STOP, 1.0, 1.5, "worker-1.1"), fault(STOP, 3.0, 9.0, "worker-1.2")]
    assert Events([], [*stops, fault("redis killed", 2.0, 4.0)]).stops() == [0.5]
