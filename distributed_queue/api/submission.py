"""Submitting tasks, with what makes a repeated submission harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.api.idempotency import HEADER, same_content
from distributed_queue.api.problems import ApiProblem, fault
from distributed_queue.core.task import from_stored, to_new_task
from distributed_queue.errors import InvalidInput, InvalidTask, TaskConflict

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from distributed_queue.core.async_queue import AsyncQueue
    from distributed_queue.core.storage import StoredTask
    from distributed_queue.core.task import Task


class Submitted(NamedTuple):
    """A task, and whether the queue has it from this request."""

    task: Task
    new: bool


async def submit_once(queue: AsyncQueue, task: Task, *, keyed: bool) -> Submitted:
    """Store a task under an id that may be known; the stored one where it is, if it is the same, else a problem.

    ``keyed`` tells whether the id stands for an idempotency key.
    """
    # An id names one task over REST, so other queues are looked into too, which enqueueing does not.
    (known,) = await _stored(queue, [task.task_id])
    if known is not None and not same_content(from_stored(known), task):
        raise _mismatch(task, keyed=keyed)
    # Also what is known: that it is stored does not mean that it is acknowledged, which this answer does.
    (new,) = await queue.enqueue((task,))
    if new:
        return Submitted(task, new=True)
    (known,) = await _stored(queue, [task.task_id])
    if known is None:
        raise TaskConflict(task.task_id, f"Task {task.task_id!r} was deleted while it was submitted. Try again.")
    existing = from_stored(known)
    if not same_content(existing, task):
        raise _mismatch(task, keyed=keyed)
    return Submitted(existing, new=False)


async def submit_batch(
    queue: AsyncQueue, tasks: Sequence[Task], *, named: Sequence[int], keyed: Collection[int]
) -> list[bool]:
    """Store all or none; for each whether it is new.

    ``named`` are the places of tasks whose ids may be known, ``keyed`` of those whose ids stand for idempotency keys.
    """
    if named:
        await _check_named(queue, tasks, named, keyed)
    try:
        return await queue.enqueue(tasks)
    except InvalidTask as error:
        raise await queue.run(_located, tasks, queue.queue.max_body_bytes, error) from error


async def _stored(queue: AsyncQueue, ids: Sequence[str]) -> list[StoredTask | None]:
    return await queue.run(queue.queue.storage.get, ids)


async def _check_named(queue: AsyncQueue, tasks: Sequence[Task], named: Sequence[int], keyed: Collection[int]) -> None:
    """Raise a problem where an id is taken by a different task, of the storage or of the batch itself."""
    known = await _stored(queue, [tasks[place].task_id for place in named])
    first: dict[str, Task] = {}
    for place, stored in zip(named, known, strict=True):
        task = tasks[place]
        existing = first.setdefault(task.task_id, task) if stored is None else from_stored(stored)
        if existing is not task and not same_content(existing, task):
            problem = _mismatch(task, keyed=place in keyed)
            detail = f"Task {place}: {problem.detail}"
            errors = [fault(("body", "tasks", place), problem.detail, problem.code)]
            raise ApiProblem(problem.code, detail, errors=errors, **problem.extensions)


def _mismatch(task: Task, *, keyed: bool) -> ApiProblem:
    if keyed:
        detail = f"The {HEADER} was used before, for a different task. Take a new key for each thing to do."
        return ApiProblem("idempotency-mismatch", detail, task_id=task.task_id)
    detail = f"Task {task.task_id!r} is stored already, with a different content."
    return ApiProblem("task-conflict", detail, task_id=task.task_id)


def _located(tasks: Sequence[Task], limit_bytes: int, error: InvalidTask) -> ApiProblem | InvalidTask:
    """The error with the place of the task that it is about."""
    for place, task in enumerate(tasks):
        try:
            to_new_task(task, limit_bytes)
        except InvalidTask as found:
            return _placed(place, found)
        except InvalidInput:
            break
    return error


def _placed(place: int, error: InvalidTask) -> ApiProblem:
    pointer: tuple[str | int, ...] = ("body", "tasks", place, *error.field.split("."))
    return ApiProblem(error.code, f"Task {place}: {error}", errors=[fault(pointer, str(error), error.code)])
