"""Verbs with which people and programs steer a queue: cancel, requeue, delete, update, clear, configure."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.storage import QueueConfig, apply_config
from distributed_queue.storage.redis.codec import config_fields, config_of, flags, pack_id, stored_task
from distributed_queue.storage.redis.keys import queue_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import StoredTask, TaskUpdate
    from distributed_queue.storage.redis.codec import Arg
    from distributed_queue.storage.redis.gateway import Gateway
    from distributed_queue.storage.redis.operations import Operations

T = TypeVar("T")

_BATCH = 1000
"""Tasks that one step changes: it bounds how long the server is busy with it."""
_PRIORITY, _BODY, _EXECUTE_AFTER, _PROGRESS, _NOTE = 1, 2, 4, 8, 16


def cancel(gateway: Gateway, queue: str, ids: Sequence[str]) -> list[StoredTask | None]:
    """See ``Storage.cancel``."""
    tasks: list[StoredTask | None] = []
    for batch in _batches(ids):
        reply = gateway.change(queue, gateway.timed("cancel", queue, *map(pack_id, batch)))
        for task_id, described in zip(batch, reply, strict=True):
            tasks.append(None if described is None else stored_task(queue, task_id, described))
    return tasks


def requeue(
    gateway: Gateway, operations: Operations, queue: str, ids: Sequence[str], delays: Sequence[float]
) -> list[bool]:
    """See ``Storage.requeue``."""
    done: list[bool] = []
    for batch in _batches(list(zip_longest(ids, delays, fillvalue=0.0))):
        pairs = [part for task_id, delay in batch for part in (pack_id(str(task_id)), ceil_ms(float(delay)))]
        with operations.begin() as slot:
            done += flags(gateway.change(queue, gateway.operation("requeue", queue, slot, *pairs)))
    return done


def delete(gateway: Gateway, operations: Operations, queue: str, ids: Sequence[str]) -> list[bool]:
    """See ``Storage.delete``."""
    done: list[bool] = []
    for batch in _batches(ids):
        with operations.begin() as slot:
            done += flags(gateway.change(queue, gateway.operation("delete", queue, slot, *map(pack_id, batch))))
    return done


def update(gateway: Gateway, operations: Operations, queue: str, task_id: str, changes: TaskUpdate) -> bool:
    """See ``Storage.update``."""
    given = 0
    values: list[Arg] = []
    if changes.priority is not None:
        given += _PRIORITY
        values.append(changes.priority)
    if changes.body is not None:
        given += _BODY
        values.append(changes.body)
    if changes.execute_after is not None:
        given += _EXECUTE_AFTER
        values.append(ceil_ms(changes.execute_after))
    if changes.progress is not None:
        given += _PROGRESS
        values.append(changes.progress)
    if changes.note is not None:
        given += _NOTE
        values.append(changes.note)
    attempt: Arg = "" if changes.attempt is None else changes.attempt
    with operations.begin() as slot:
        call = gateway.operation("update", queue, slot, pack_id(task_id), attempt, given, *values)
        return bool(gateway.change(queue, call))


def clear(gateway: Gateway, operations: Operations, queue: str) -> int:
    """See ``Storage.clear``. In steps of a bounded size; tasks that arrive meanwhile may stay."""
    left = sum(gateway.run((queue,), [(b"ZCARD", index) for index in queue_keys(queue).indexes.values()]))
    cleared = 0
    while left > 0:
        step = min(left, _BATCH)
        with operations.begin() as slot:
            call = gateway.operation("clear", queue, slot, step, "1" if step == left else "0")
            cleared += gateway.connections.run(call)
        left -= step
    return cleared


def configure(gateway: Gateway, queue: str, changes: dict[str, object]) -> QueueConfig:
    """See ``Storage.configure``. The rules are core's; the script changes what nobody else has changed meanwhile."""
    while True:
        flat = gateway.change(queue, (b"HGETALL", queue_keys(queue).meta))
        meta = dict(zip(flat[::2], flat[1::2], strict=True))
        after = apply_config(config_of(meta), changes)
        new = {name: text.encode() for name, text in config_fields(after).items()}
        # Compared as texts, so that one which cannot be read is replaced, too, even by the default.
        texts = [(name, meta.get(name.encode()), new.get(name)) for name in changes]
        args = [arg for name, old, text in texts if old != text for arg in (name, old or b"", text or b"")]
        if not args:
            return after
        if gateway.connections.run(gateway.timed("configure", queue, *args)):
            return after


def _batches(ids: Sequence[T]) -> list[Sequence[T]]:
    return [ids[first : first + _BATCH] for first in range(0, len(ids), _BATCH)]
