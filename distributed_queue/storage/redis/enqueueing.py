"""Storing tasks: all of a batch, or none.

Queues on one server are one script. On a Cluster, the queues of a batch may lie on several; then it takes two trips.
The first holds room in every queue that has a size limit, and where one is full the others get theirs back; the second
stores, and cannot fail for want of room. What remains is that a client or a server may die between two servers' parts:
then nothing was acknowledged, and the same call again stores the rest.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from distributed_queue.errors import NotReplicated, QueueFull, StorageError
from distributed_queue.storage.redis.codec import enqueue_args, flags, pack_id
from distributed_queue.storage.redis.keys import queue_keys
from distributed_queue.storage.redis.scripts import load_script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from distributed_queue.core.storage import NewTask
    from distributed_queue.storage.redis.codec import Arg
    from distributed_queue.storage.redis.gateway import Gateway
    from distributed_queue.storage.redis.operations import Operations, Slot


def enqueue(gateway: Gateway, operations: Operations, tasks: Sequence[NewTask]) -> list[bool]:
    """See ``Storage.enqueue``."""
    if len(tasks) == 1:
        return [_store_one(gateway, operations, tasks[0])]
    by_queue: dict[str, list[int]] = {}
    for index, task in enumerate(tasks):
        by_queue.setdefault(task.queue, []).append(index)
    if len(by_queue) == 1:
        return flags(_store_together(gateway, operations, {tasks[0].queue: tasks}))
    parts = {queue: [tasks[index] for index in indexes] for queue, indexes in by_queue.items()}
    if len(gateway.connections.together([queue_keys(queue).meta for queue in parts])) == 1:
        stored = flags(_store_together(gateway, operations, parts))
    else:
        stored = _store_apart(gateway, operations, parts)
    given = [index for indexes in by_queue.values() for index in indexes]
    return [flag for _, flag in sorted(zip(given, stored, strict=True))]


def _store_one(gateway: Gateway, operations: Operations, task: NewTask) -> bool:
    """By ``put.lua`` where that can do it."""
    parts = {task.queue: (task,)}
    if task.execute_after is not None or task.delay is not None or task.expires_at is not None:
        return flags(_store_together(gateway, operations, parts))[0]
    keys = queue_keys(task.queue)
    task_id = pack_id(task.id)
    with operations.begin() as slot:
        call = load_script("put").call(
            (*keys.for_put, keys.task_prefix + task_id, keys.operation(slot.name)),
            gateway.now(),
            slot.token,
            task_id,
            task.body,
            task.type,
            task.priority,
        )
        # What was not stored needs no replica, and enqueue.lua, under the same token, tells the rest.
        with suppress(NotReplicated):
            (stored,) = gateway.run(parts, [call], confirmed=True)
            if stored:
                return True
        return flags(_store(gateway, slot, parts))[0]


def _store_together(gateway: Gateway, operations: Operations, parts: Mapping[str, Sequence[NewTask]]) -> bytes:
    with operations.begin() as slot:
        return _store(gateway, slot, parts)


def _store(gateway: Gateway, slot: Slot, parts: Mapping[str, Sequence[NewTask]]) -> bytes:
    keys: list[bytes] = []
    args: list[Arg] = []
    for queue, tasks in parts.items():
        keys += queue_keys(queue).all
        block = enqueue_args(tasks)
        args += (len(block), *block)
    keys.append(queue_keys(next(iter(parts))).operation(slot.name))
    call = load_script("enqueue").call(keys, gateway.now(), slot.token, len(parts), "", *args)
    (answer,) = gateway.run(parts, [call], confirmed=True)
    if isinstance(answer, list):
        nth, depth, limit = answer
        raise QueueFull(list(parts)[nth - 1], depth, limit)
    stored: bytes = answer
    return stored


def _store_apart(gateway: Gateway, operations: Operations, parts: Mapping[str, Sequence[NewTask]]) -> list[bool]:
    """As ``_store_together``, where no script can have all the queues."""
    blocks = {queue: enqueue_args(tasks) for queue, tasks in parts.items()}
    held = _hold_room(gateway, operations, blocks)
    with operations.begin() as slot:
        calls = [
            gateway.operation("enqueue", queue, slot, 1, held[queue], len(block), *block)
            for queue, block in blocks.items()
        ]
        answers = gateway.run(parts, calls, confirmed=True)
    return [flag for answer in answers for flag in flags(answer)]


def _hold_room(gateway: Gateway, operations: Operations, blocks: Mapping[str, Sequence[Arg]]) -> dict[str, int]:
    """For how many tasks room is held in each queue. Raises ``QueueFull``, with no room held."""
    with operations.begin() as slot:
        calls = [gateway.operation("reserve", queue, slot, 0, *block) for queue, block in blocks.items()]
        answers = dict(zip(blocks, gateway.connections.run_all(calls), strict=True))
    held = {queue: answer for queue, answer in answers.items() if isinstance(answer, int)}
    for queue, answer in answers.items():
        if queue not in held:
            _give_back(gateway, operations, held)
            raise QueueFull(queue, *answer)
    return held


def _give_back(gateway: Gateway, operations: Operations, held: Mapping[str, int]) -> None:
    with operations.begin() as slot, suppress(StorageError):  # then it ends by itself
        gateway.connections.run_all(
            [gateway.operation("reserve", queue, slot, room) for queue, room in held.items() if room]
        )
