"""Which queues a worker asks, and when."""

from __future__ import annotations

from collections import Counter

import pytest

from distributed_queue.core.storage import Claim, ClaimedTask, ClaimRequest
from distributed_queue.core.worker.turns import FEW, Turns

IDLE = 10.0
MANY = tuple(f"q{number:03}" for number in range(100))


def claim_of(*queues: str, next_due: float | None = None) -> Claim:
    tasks = [ClaimedTask(queue, str(number), 1, 100, b"", 0, 0, 0.0, 0.0) for number, queue in enumerate(queues)]
    return Claim(tasks, next_due)


def request_of(queues: tuple[str, ...], limit: int = 10) -> ClaimRequest:
    return ClaimRequest(queues, "w1", limit, 30.0)


def go_round(turns: Turns, now: float) -> None:
    """Ask all, all of which have nothing."""
    asked = turns.ask(now, (), wants=True, most=len(turns.queues))
    turns.answer(request_of(asked), claim_of(), now, now, IDLE)


def test_queues_that_were_named_are_all_asked_in_their_order() -> None:
    turns = Turns(MANY[::-1])
    for now in range(3):
        asked = turns.ask(now, (), wants=True)
        assert asked == MANY[::-1]
        turns.answer(request_of(asked, 1), claim_of(asked[5]), now, now, IDLE)


@pytest.mark.parametrize("count", [1, 5, FEW, FEW + 1, 100])
@pytest.mark.parametrize("under_way", [1, 2])
def test_busy_queues_have_their_turn_as_often_as_each_other(count: int, under_way: int) -> None:
    turns = Turns(None)
    turns.offer(MANY[:count])
    given: Counter[str] = Counter()
    waiting: list[tuple[tuple[str, ...], float]] = []
    for now in range(10 * count + under_way):
        waiting.append((turns.ask(now, (), wants=True), now))
        if len(waiting) == under_way:
            asked, started = waiting.pop(0)
            given[asked[0]] += 1
            turns.answer(request_of(asked, 1), claim_of(asked[0], next_due=0.0), started, now + 0.5, IDLE)
    assert set(given) == set(MANY[:count])
    assert max(given.values()) - min(given.values()) <= under_way


def test_a_few_of_many_are_asked_at_a_time_until_all_were() -> None:
    turns = Turns(None)
    turns.offer(MANY)
    asked: list[str] = []
    while turns.next_at <= 1.0:
        some = turns.ask(1.0, (), wants=True)
        assert len(some) <= FEW
        turns.answer(request_of(some), claim_of(), 1.0, 1.0, IDLE)
        asked += some
    assert sorted(asked) == list(MANY)


def test_of_many_idle_queues_only_those_with_news_are_asked() -> None:
    turns = Turns(None)
    turns.offer(MANY)
    go_round(turns, 1.0)
    assert turns.next_at > 1.0
    turns.hear(["q050", "unknown"], 1.5)
    assert turns.next_at <= 1.5
    assert turns.ask(1.5, (), wants=True) == ("q050",)


def test_a_queue_is_asked_again_when_its_next_task_is_due() -> None:
    turns = Turns(None)
    turns.offer(MANY)
    go_round(turns, 1.0)
    turns.hear(["q007"], 1.1)
    asked = turns.ask(1.1, (), wants=True)
    turns.answer(request_of(asked), claim_of(next_due=0.25), 1.1, 1.1, IDLE)
    assert turns.next_at == pytest.approx(1.35)
    assert turns.ask(1.36, (), wants=True) == ("q007",)


def test_queues_that_were_not_reached_are_asked_before_the_one_that_gave_enough() -> None:
    turns = Turns(None)
    turns.offer(MANY)
    asked = turns.ask(1.0, (), wants=True, most=len(MANY))
    turns.answer(request_of(asked, 2), claim_of(asked[3], asked[4]), 1.0, 1.1, IDLE)
    again = turns.ask(1.2, (), wants=True, most=len(MANY))
    assert again == (*asked[5:], asked[4])


def test_news_that_there_is_no_room_for_are_passed_on_once() -> None:
    turns = Turns(None)
    turns.offer(MANY)
    go_round(turns, 1.0)
    turns.hear(["q001", "q002"], 1.5)
    assert turns.has_news
    asked = turns.ask(1.5, (), wants=False)
    assert asked == ("q001", "q002")
    turns.answer(request_of(asked, 0), claim_of(next_due=0.0), 1.5, 1.6, IDLE)
    assert not turns.has_news
    assert turns.ask(1.7, (), wants=True) == ("q001", "q002")


@pytest.mark.parametrize("count", [3, 100])
def test_news_that_came_after_the_question_outlive_the_answer(count: int) -> None:
    turns = Turns(None)
    turns.offer(MANY[:count])
    asked = turns.ask(1.0, (), wants=True, most=count)
    turns.hear(["q002"], 1.5)
    turns.answer(request_of(asked), claim_of(), 1.0, 2.0, IDLE)
    assert turns.next_at <= 1.5


def test_where_an_attempt_was_settled_is_asked_too() -> None:
    turns = Turns(None)
    turns.offer(MANY)
    go_round(turns, 1.0)
    assert turns.ask(1.5, ["q009", "gone"], wants=True) == ("q009",)


def test_each_claim_that_was_not_answered_is_repeated_with_its_queues() -> None:
    turns = Turns(None)
    turns.offer(MANY)
    first, second = turns.ask(1.0, (), wants=True), turns.ask(1.0, (), wants=True)
    assert not set(first) & set(second)
    turns.fail(request_of(first))
    turns.fail(request_of(second))
    for _ in range(2):  # whichever of the two is made good first
        asked = turns.ask(2.0, (), wants=True)
        assert set(first) | set(second) <= set(asked)
        turns.answer(request_of(asked), claim_of(), 2.0, 2.0, IDLE)
    assert not set(turns.ask(2.1, (), wants=True)) & set(first + second)


def test_a_queue_that_is_new_is_asked_at_once() -> None:
    turns = Turns(None)
    turns.offer(MANY)
    go_round(turns, 1.0)
    assert not turns.offer(MANY)
    assert turns.offer((*MANY, "q999"))
    assert turns.ask(1.1, (), wants=True) == ("q999",)
