from __future__ import annotations

import pytest

from distributed_queue.core.lifecycle import (
    FINISHED,
    LISTED_ORDER,
    REQUEUABLE,
    TRANSITIONS,
    WAITING,
    Event,
    TaskStatus,
    allowed,
)


@pytest.mark.parametrize("state", TaskStatus)
def test_a_state_is_its_lower_case_word(state: TaskStatus) -> None:
    assert str(state) == f"{state}" == state.value == state.name.lower()
    assert TaskStatus(str(state)) is state


@pytest.mark.parametrize("event", Event)
def test_an_event_is_its_lower_case_word(event: Event) -> None:
    assert str(event) == event.value == event.name.lower()


def test_a_task_waits_runs_or_is_finished() -> None:
    assert sorted([*WAITING, *FINISHED, TaskStatus.PROCESSING]) == sorted(TaskStatus)
    assert {state for state in TaskStatus if state.finished} == FINISHED


def test_every_state_is_listed_once() -> None:
    assert sorted(LISTED_ORDER) == sorted(TaskStatus)


def test_every_state_can_be_reached_from_another_one_or_by_enqueueing() -> None:
    reached = {after for (before, _), states in TRANSITIONS.items() for after in states if after is not before}
    assert set(TaskStatus) - reached == {TaskStatus.BLOCKED}


@pytest.mark.parametrize("state", sorted(WAITING | {TaskStatus.PROCESSING}))
def test_what_is_unfinished_can_be_cancelled(state: TaskStatus) -> None:
    assert allowed(state, Event.CANCELLED, TaskStatus.CANCELLED)


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_what_is_finished_moves_by_a_requeue_only(state: TaskStatus) -> None:
    moves = {event for before, event in TRANSITIONS if before is state}
    assert moves == ({Event.REQUEUED} if state in REQUEUABLE else set())


def test_only_a_claim_starts_a_task() -> None:
    starts = {(before, event) for (before, event), after in TRANSITIONS.items() if TaskStatus.PROCESSING in after}
    assert {move for move in starts if move[0] is not TaskStatus.PROCESSING} == {(TaskStatus.PENDING, Event.CLAIMED)}


def test_a_move_that_is_not_in_the_table_is_not_allowed() -> None:
    assert not allowed(TaskStatus.COMPLETED, Event.CLAIMED, TaskStatus.PROCESSING)
    assert not allowed(TaskStatus.PENDING, Event.CLAIMED, TaskStatus.COMPLETED)
