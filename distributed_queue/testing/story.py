"""What a journal tells, checked against the table of moves: a reader of the journal alone knows where each task is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TRANSITIONS, Event, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from distributed_queue.core.storage import Change, StoredTask

States = frozenset[TaskStatus]

_BEGUN: States = frozenset({TaskStatus.PENDING, TaskStatus.SCHEDULED})
_OF_THE_QUEUE = frozenset({Event.PAUSED, Event.RESUMED, Event.CONFIGURED})
_FORGOTTEN_SILENTLY = frozenset({TaskStatus.COMPLETED, TaskStatus.CANCELLED, TaskStatus.EXPIRED})


def tell(changes: Iterable[Change]) -> dict[str, States]:
    """Where each task may be after these changes, by id. Fails on a move that is not in the table.

    Begin with an empty queue and leave nothing out. It is not always one state: ``enqueued`` does not say whether the
    task is due, nor ``lease_expired`` whether ``dead`` or ``cancelled`` follows.
    """
    places: dict[str, States] = {}
    for change in changes:
        event = Event(change.event)
        if event is Event.CLEARED:
            places.clear()
        elif event is Event.DELETED:
            states = places.pop(change.task_id)
            assert states != {TaskStatus.PROCESSING}, f"{change} cannot happen to a task that runs"
        elif event is Event.ENQUEUED:
            # An id is free again once its task was forgotten, which is not journalled.
            states = places.get(change.task_id, frozenset())
            assert states <= _FORGOTTEN_SILENTLY, f"{change} cannot happen to a task that is {sorted(states)}"
            places[change.task_id] = _BEGUN
        elif event not in _OF_THE_QUEUE:
            places[change.task_id] = _moved(places.get(change.task_id, frozenset()), event, change)
    return places


def check_story(changes: Iterable[Change], tasks: Iterable[StoredTask]) -> None:
    """Fail unless the tasks of a queue are where its journal says."""
    places = tell(changes)
    for task in tasks:
        assert task.status in places.pop(task.id, ()), f"{task.id} is {task.status}; the journal tells otherwise"
    for task_id, states in places.items():
        assert states <= _FORGOTTEN_SILENTLY, f"{task_id} is gone; the journal tells of {sorted(states)}"


def _moved(before: States, event: Event, change: Change) -> States:
    after: set[TaskStatus] = set()
    for state in before:
        after |= TRANSITIONS.get((state, event), frozenset())
    assert after, f"{change} cannot happen to a task that is {sorted(before) or 'unknown'}"
    if event is Event.LEASE_EXPIRED:
        after.add(TaskStatus.PROCESSING)
    return frozenset(after)
