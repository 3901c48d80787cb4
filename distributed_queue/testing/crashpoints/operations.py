"""What is killed at each of its steps: operations of users that make more than one call of the storage."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

from distributed_queue.cli.main import main
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed_queue.core.hybrid_queue import HybridQueue

_SHORT = 0.002
"""Seconds to wait in vain: for two or three calls."""


class Operation(NamedTuple):
    """Something that a user does; done again by a new process where the first one died."""

    name: str
    prepare: Callable[[HybridQueue], object]
    act: Callable[[HybridQueue], object]
    reached: Callable[[HybridQueue], bool]
    """Whether all is as the user wanted it, once it was done to the end."""


def _put(queue: HybridQueue, *ids: str, name: str = "default", max_retries: int = 3) -> None:
    queue.put_many([Task(5, {"type": "x"}, task_id=each, queue=name, max_retries=max_retries) for each in ids])


def _fail(queue: HybridQueue, *ids: str, name: str) -> None:
    """Make dead letters."""
    _put(queue, *ids, name=name, max_retries=0)
    while (task := queue.get(block=False)) is not None:
        queue.mark_failed(task.task_id, "broken")


def _stored(queue: HybridQueue, *ids: str) -> bool:
    return all(queue.get_task(each) is not None for each in ids)


def _are(queue: HybridQueue, status: TaskStatus, *ids: str) -> bool:
    return all((task := queue.get_task(each)) is not None and task.status is status for each in ids)


def _settled(queue: HybridQueue, *ids: str) -> bool:
    """Settled, or back in line when the lease of the dead process ends."""
    return _stored(queue, *ids) and queue.get(block=False) is None


def _nothing(_: HybridQueue) -> None:
    pass


# Submitting


def _put_and_wait(queue: HybridQueue) -> None:
    late = Task(5, {"type": "x"}, task_id="late")
    if queue.put(late, timeout=_SHORT):
        return
    task = queue.get(block=False)
    if task is not None:
        queue.mark_completed(task.task_id)
    queue.put(late, timeout=_SHORT)


def _fill(queue: HybridQueue) -> None:
    queue.configure(max_size=2)
    _put(queue, "a", "b")


def _put_over_queues(queue: HybridQueue) -> None:
    queue.put_many([Task(5, {"type": "x"}, task_id=name, queue=name) for name in ("one", "two", "three")])


# Working


def _complete(queue: HybridQueue) -> None:
    while (task := queue.get(block=False)) is not None:
        queue.mark_completed(task.task_id, result=task.task_id)


def _fail_for_good(queue: HybridQueue) -> None:
    while (task := queue.get(block=False)) is not None:
        queue.mark_failed(task.task_id, "broken")


def _extend_and_release(queue: HybridQueue) -> None:
    task = queue.get(block=False)
    if task is not None:
        queue.extend_lease(task.task_id, 60.0)
        queue.release(task.task_id)


def _take_and_close(queue: HybridQueue) -> None:
    taken = [task for _ in range(3) if (task := queue.get(block=False)) is not None]
    if taken:
        queue.mark_completed(taken[0].task_id)
    queue.close()


# Operating


def _cancel_running(queue: HybridQueue) -> None:
    queue.cancel("a")


def _take_one(queue: HybridQueue) -> None:
    _put(queue, "a")
    queue.get("worker", block=False)


def _two_queues_of_dead(queue: HybridQueue) -> None:
    _fail(queue, "a", "b", name="one")
    _fail(queue, "c", "d", "e", name="two")


def _two_queues(queue: HybridQueue) -> None:
    _put(queue, "a", "b", name="one")
    _put(queue, "c", name="two")


def _small_pages(act: Callable[[HybridQueue], object]) -> Callable[[HybridQueue], None]:
    def acting(queue: HybridQueue) -> None:
        with patch("distributed_queue.core.hybrid_queue._PAGE", 2):
            act(queue)

    return acting


# dq


def dq(queue: HybridQueue, *arguments: str) -> None:
    """Run the program, on the storage of ``queue``."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        code = main([*arguments, "--storage-url", queue.storage.url])
    if code:
        raise RuntimeError(f"dq {' '.join(arguments)} ended with {code}")


def _submit_file(queue: HybridQueue) -> None:
    lines = [json.dumps({"payload": {"type": "x"}, "task_id": each}) for each in _FILE]
    with tempfile.TemporaryDirectory() as folder, patch("distributed_queue.cli.submit.BATCH", 2):
        path = Path(folder) / "tasks.jsonl"
        path.write_text("\n".join(lines))
        dq(queue, "submit", "--file", str(path))


def _configure_and_pause(queue: HybridQueue) -> None:
    dq(queue, "queues", "configure", "default", "--concurrency", str(_SLOTS))
    dq(queue, "queues", "pause", "default")


_SLOTS = 3
_DEAD = 5
_FILE: Sequence[str] = ("f1", "f2", "f3", "f4", "f5")

OPERATIONS: tuple[Operation, ...] = (
    Operation("put into a full queue, make room, put", _fill, _put_and_wait, lambda queue: _stored(queue, "late")),
    Operation(
        "put a batch over three new queues",
        _nothing,
        _put_over_queues,
        lambda queue: _stored(queue, "one", "two", "three"),
    ),
    Operation(
        "take and complete two tasks",
        lambda queue: _put(queue, "a", "b"),
        _complete,
        lambda queue: _settled(queue, "a", "b"),
    ),
    Operation(
        "take and fail two tasks for good",
        lambda queue: _put(queue, "a", "b", max_retries=0),
        _fail_for_good,
        lambda queue: _settled(queue, "a", "b"),
    ),
    Operation(
        "take, extend, give back",
        lambda queue: _put(queue, "a"),
        _extend_and_release,
        lambda queue: _stored(queue, "a"),
    ),
    Operation(
        "take three, complete one, close",
        lambda queue: _put(queue, "a", "b", "c"),
        _take_and_close,
        lambda queue: _stored(queue, "a", "b", "c"),
    ),
    Operation(
        "cancel a running task",
        _take_one,
        _cancel_running,
        lambda queue: (task := queue.get_task("a")) is not None and task.cancel_requested,
    ),
    Operation(
        "requeue all dead letters of two queues",
        _two_queues_of_dead,
        _small_pages(lambda queue: queue.requeue_dead()),
        lambda queue: not queue.get_dead_letters() and queue.size() == _DEAD,
    ),
    Operation(
        "requeue dead letters by name",
        _two_queues_of_dead,
        lambda queue: queue.requeue_dead(["a", "c", "e"]),
        lambda queue: _are(queue, TaskStatus.PENDING, "a", "c", "e") and _are(queue, TaskStatus.DEAD, "b", "d"),
    ),
    Operation(
        "delete all dead letters of two queues",
        _two_queues_of_dead,
        _small_pages(lambda queue: queue.delete_dead()),
        lambda queue: not queue.get_dead_letters() and not _stored(queue, "a"),
    ),
    Operation(
        "clear all queues",
        _two_queues,
        lambda queue: queue.clear(),
        lambda queue: queue.size() == 0 and not _stored(queue, "a"),
    ),
    Operation("dq submit --file, by twos", _nothing, _submit_file, lambda queue: _stored(queue, *_FILE)),
    Operation(
        "dq dead requeue --all",
        _two_queues_of_dead,
        lambda queue: dq(queue, "dead", "requeue", "--all"),
        lambda queue: not queue.get_dead_letters() and queue.size() == _DEAD,
    ),
    Operation(
        "dq queues configure, pause",
        lambda queue: _put(queue, "a"),
        _configure_and_pause,
        lambda queue: (config := queue.configure()).paused and config.concurrency == _SLOTS,
    ),
)
