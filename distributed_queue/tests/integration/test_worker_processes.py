"""Handlers in child processes: what they can do, and what becomes of the task when one dies."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue import DistributedQ, HybridQueue, Retry, RetryLater, Worker, WorkerConfig, current_task
from distributed_queue.errors import ConfigurationError, TaskFailed
from distributed_queue.tests.steps import AT_ONCE, LIMIT, eventually, finished, look, put

if TYPE_CHECKING:
    from collections.abc import Iterator

app = DistributedQ("memory://")
ONCE = Retry(max_retries=0)


def tell(data: Any) -> list[Any]:
    task = current_task()
    task.progress(1, 2, "half")
    return [data, task.task_id, task.attempt, os.getpid(), task.time_left is not None, task.headers]


async def on_a_loop(data: Any) -> Any:
    await asyncio.sleep(0)
    return data


def fail(data: str) -> None:
    raise {"known": LookupError, "mine": Mine}[data](f"{data} trouble")


def later(_: object) -> None:
    raise RetryLater(3600, "not now")


def crash(_: object) -> None:
    ctypes.string_at(0)


def leave(code: int) -> None:
    os._exit(code)


def hang(_: object) -> None:
    # Inside of a call into C, with all signals that can be blocked blocked: only a kill ends it.
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    ctypes.PyDLL(None).sleep(3600)


def eat(_: object) -> None:
    eaten = []
    while True:
        eaten.append(b"x" * (1 << 20))
        time.sleep(0.001)


def unstorable(_: object) -> object:
    return object()


@app.task(executor="process", retry=ONCE)
def square(number: int) -> int:
    """A typed function, to be found by the child under its own name."""
    return number * number


def functions_of_no_module() -> list[Any]:
    def inner(data: Any) -> Any:
        return data

    return [inner, lambda data: data, [].append]


class Mine(Exception):
    """An exception of the user's, with a constructor that a copy could not call."""

    def __init__(self, message: str, *more: object) -> None:
        super().__init__(message.upper())
        self.more = more


@pytest.fixture
def queue() -> Iterator[HybridQueue]:
    with HybridQueue.from_url("memory://") as queue:
        yield queue


@pytest.fixture
def work(queue: HybridQueue) -> Iterator[Any]:
    """Start a worker with two children; give it functions, and options of its configuration."""
    started: list[Worker] = []

    def start(*functions: Any, **options: Any) -> Worker:
        worker = Worker(queue, WorkerConfig(**{"children": 2, "shutdown_timeout": 5.0, **options}))
        for function in functions:
            worker.register_handler(function.__name__, function, retry=AT_ONCE, executor="process")
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.stop()


def test_all_three_kinds_of_handlers_run_in_one_worker(queue: HybridQueue, work: Any) -> None:
    worker = work(tell)
    worker.register_handler("thread", lambda data: [data, os.getpid()])
    worker.register_handler("loop", on_a_loop)
    kinds, headers = ("tell", "thread", "loop"), {"tenant": "acme"}
    tasks = [put(queue, {"type": name, "data": 7}, timeout=60, headers=headers) for name in kinds]
    child, thread, loop = (task.result for task in finished(queue, tasks))
    assert child == [7, tasks[0].task_id, 1, child[3], True, headers]
    assert thread == [7, os.getpid()]
    assert loop == 7
    assert child[3] != os.getpid()
    assert look(queue, tasks[0]).progress == {"done": 1, "total": 2, "note": "half"}


def test_an_async_function_runs_in_a_child_too(queue: HybridQueue, work: Any) -> None:
    work(on_a_loop)
    assert queue.wait_result(put(queue, {"type": "on_a_loop", "data": [1]}).task_id, LIMIT) == [1]


def test_a_typed_function_runs_in_a_child(queue: HybridQueue, work: Any) -> None:
    restore = app.use(queue)
    try:
        app.register(work())
        assert square.submit(12).result(LIMIT) == 144
        with pytest.raises(TaskFailed, match="Expected `int`, got `str`"):
            queue.wait_result(put(queue, {"type": "square", "data": {"number": "x"}}).task_id, LIMIT)
    finally:
        restore()


def test_children_are_used_again_and_replaced_when_they_are_worn(queue: HybridQueue, work: Any) -> None:
    work(tell, children=1, child_max_tasks=3)
    tasks = [put(queue, {"type": "tell", "data": number}) for number in range(7)]
    pids = [task.result[3] for task in finished(queue, tasks)]
    assert [len(set(pids[first : first + 3])) for first in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pids)) == 3


@pytest.mark.parametrize(("kind", "words"), [("known", "LookupError: known trouble"), ("mine", "Mine: MINE TROUBLE")])
def test_what_a_handler_raises_is_told_with_its_traceback(queue: HybridQueue, work: Any, kind: str, words: str) -> None:
    heard: list[BaseException] = []
    work(fail, error_handler=lambda _, error: heard.append(error))
    task = queue.wait(put(queue, {"type": "fail", "data": kind}, max_retries=0).task_id, LIMIT)
    assert (str(task.status), task.error) == ("dead", words)
    assert "in fail\n    raise" in (task.traceback or "")
    assert "child.py" not in (task.traceback or "")
    assert type(heard[0]) is {"known": LookupError, "mine": Mine}[kind]


def test_a_handler_in_a_child_may_say_what_is_to_become_of_its_task(queue: HybridQueue, work: Any) -> None:
    work(later)
    task = put(queue, {"type": "later"})
    eventually(lambda: str(look(queue, task).status) == "retrying")
    left = (look(queue, task).execute_after or 0) - time.time()
    assert 3500 < left <= 3600


@pytest.mark.parametrize(
    ("function", "data", "words"),
    [
        (crash, None, "ProcessDied: The handler's process was ended by SIGSEGV."),
        (leave, 7, "ProcessDied: The handler's process ended with exit code 7."),
        (unstorable, None, "InvalidResult: The handler's result is not JSON-compatible: a value is a object"),
    ],
)
def test_a_child_that_dies_is_a_failure_and_the_others_go_on(
    queue: HybridQueue, work: Any, function: Any, data: Any, words: str
) -> None:
    work(function, tell)
    bad = put(queue, {"type": function.__name__, "data": data}, max_retries=1)
    good = [put(queue, {"type": "tell", "data": number}) for number in range(10)]
    assert [task.result[0] for task in finished(queue, good)] == list(range(10))
    task = queue.wait(bad.task_id, LIMIT)
    assert (str(task.status), task.error) == ("dead", words)
    assert task.crashes == 0


def test_a_handler_that_never_returns_is_killed_at_its_time_limit(queue: HybridQueue, work: Any) -> None:
    work(hang, tell, children=1)
    task = queue.wait(put(queue, {"type": "hang"}, timeout=0.5, max_retries=0).task_id, LIMIT)
    assert (str(task.status), task.error) == ("dead", "TimeLimitExceeded: The handler ran longer than its time limit.")
    assert queue.wait_result(put(queue, {"type": "tell"}).task_id, LIMIT)


def test_a_cancelled_handler_is_killed(queue: HybridQueue, work: Any) -> None:
    worker = work(hang)
    task = put(queue, {"type": "hang"})
    eventually(lambda: worker.get_stats()["active_tasks"] == 1)
    assert queue.cancel(task.task_id)
    assert str(queue.wait(task.task_id, LIMIT).status) == "cancelled"


def test_a_handler_that_takes_too_much_memory_is_killed(queue: HybridQueue, work: Any) -> None:
    work(eat, child_max_memory=200 << 20)
    task = queue.wait(put(queue, {"type": "eat"}, max_retries=0).task_id, LIMIT)
    assert str(task.status) == "dead"
    assert "; the limit is 200 MiB." in (task.error or "")


def test_the_worst_handlers_end_as_their_policies_say_and_nothing_else_notices(queue: HybridQueue, work: Any) -> None:
    """One worker with all three kinds of handler at once."""
    over = threading.Event()
    ran: list[int] = []

    def blocked(_: object) -> None:
        over.wait(LIMIT)

    def in_a_thread(number: int) -> int:
        ran.append(number)
        return number

    worker = work(crash, eat, hang, tell, child_max_memory=200 << 20, max_workers=3, stuck_seconds=0.1)
    worker.register_handler("thread", in_a_thread, retry=AT_ONCE)
    worker.register_handler("loop", on_a_loop, retry=AT_ONCE)
    worker.register_handler("blocked", blocked, retry=AT_ONCE)
    bad = [
        put(queue, {"type": "crash"}, priority=1, max_retries=1),
        put(queue, {"type": "eat"}, priority=1, max_retries=0),
        put(queue, {"type": "hang"}, priority=1, max_retries=0, timeout=0.5),
        put(queue, {"type": "blocked"}, priority=1, max_retries=0, timeout=0.5),
    ]
    good = [put(queue, {"type": kind, "data": number}) for number in range(20) for kind in ("thread", "loop", "tell")]
    results = [task.result for task in finished(queue, good, 3 * LIMIT)]
    ends = finished(queue, bad, 3 * LIMIT)
    over.set()
    numbers = [number for number in range(20) for _ in range(3)]
    assert [result[0] if isinstance(result, list) else result for result in results] == numbers
    assert sorted(ran) == list(range(20))
    assert {(task.attempt, task.retry_count, task.crashes) for task in map(partial(look, queue), good)} == {(1, 0, 0)}
    assert [[str(each.outcome) for each in look(queue, task).history] for task in ends] == [
        ["failed", "failed"],
        ["failed"],
        ["timed_out"],
        ["timed_out"],
    ]
    assert "ended by SIGSEGV" in (ends[0].error or "")
    assert "the limit is 200 MiB" in (ends[1].error or "")
    assert [str(task.status) for task in ends] == ["dead"] * 4
    # The worker counts an exchange after the storage has done it.
    eventually(lambda: [worker.get_stats()[name] for name in ("processed", "failed", "lost")] == [len(good), 5, 0])


def test_a_worker_that_stops_gives_back_what_a_child_runs_and_leaves_none_behind(queue: HybridQueue, work: Any) -> None:
    worker = work(hang, shutdown_timeout=0.1)
    task = put(queue, {"type": "hang"})
    eventually(lambda: worker.get_stats()["active_tasks"] == 1)
    worker.stop()
    stored = look(queue, task)
    assert (str(stored.status), stored.retry_count, stored.crashes) == ("pending", 0, 0)


def test_a_function_that_a_child_would_not_find_is_refused(queue: HybridQueue) -> None:
    worker = Worker(queue)
    for function in functions_of_no_module():
        with pytest.raises(ConfigurationError, match="define it at the top of a module"):
            worker.register_handler("x", function, executor="process")
    with pytest.raises(ConfigurationError, match="executor is 'elsewhere'; it is one of thread, loop, process"):
        worker.register_handler("x", tell, executor="elsewhere")
    with pytest.raises(ConfigurationError, match="is an async def function, which executor='thread' cannot run"):
        worker.register_handler("x", on_a_loop, executor="thread")
