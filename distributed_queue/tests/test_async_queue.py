"""The queue for asyncio programs, on every storage."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.async_queue import AsyncQueue
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.queue import Task, TaskStatus
from distributed_queue.errors import (
    InvalidTask,
    QueueClosed,
    QueueFull,
    ResultTimeout,
    StorageUnavailable,
    TaskFailed,
    TaskNotFound,
)
from distributed_queue.tests.steps import LIMIT, eventually, put, take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from distributed_queue.core.storage import NewTask

MOMENT = 0.02
"""Seconds that calls get to be under way. What the tests say holds also where they are not."""


@pytest.fixture
async def queue(storage_url: str) -> AsyncIterator[AsyncQueue]:
    async with AsyncQueue.from_url(storage_url) as queue:
        yield queue


async def put_some(queue: AsyncQueue, count: int, **fields: Any) -> list[Task]:
    tasks = [Task(100, number, **fields) for number in range(count)]
    assert all(await asyncio.gather(*(queue.put(task) for task in tasks)))
    return tasks


async def take_one(queue: AsyncQueue, worker_id: str | None = None) -> Task:
    task = await queue.get(worker_id, timeout=LIMIT)
    assert task is not None
    return task


async def soon(predicate: Callable[[], Awaitable[object]]) -> None:
    """Wait until something is true that no event tells of."""
    end = time.monotonic() + LIMIT
    while not await predicate():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


class TestSubmitting:
    async def test_a_task_goes_through_its_life(self, queue: AsyncQueue) -> None:
        task = Task(1, {"type": "mail", "data": "x"})
        assert await queue.put(task) is True
        taken = await take_one(queue, "w")
        assert (taken.task_id, taken.data, taken.worker_id) == (task.task_id, "x", "w")
        assert await queue.extend_lease(task.task_id, 60) is True
        assert await queue.mark_completed(task.task_id, "w", {"sent": True}) is True
        assert await queue.wait_result(task.task_id, LIMIT) == {"sent": True}
        stored = await queue.get_task(task.task_id)
        assert stored is not None
        assert stored.status is TaskStatus.COMPLETED

    async def test_puts_of_one_turn_are_stored_in_one_step(self, queue: AsyncQueue) -> None:
        await put_some(queue, 200)
        entries = queue.queue.storage.journal("default", 0, 1000)
        enqueued = [entry for entry in entries if any(change.event == "enqueued" for change in entry.changes)]
        assert sum(len(entry.changes) for entry in enqueued) == 200
        assert len(enqueued) <= 3

    async def test_the_order_of_submission_is_kept(self, queue: AsyncQueue) -> None:
        await put_some(queue, 20)
        assert [(await take_one(queue)).payload for _ in range(20)] == list(range(20))

    async def test_each_gets_the_answer_to_what_it_submitted(self, queue: AsyncQueue) -> None:
        known = Task(1, "known")
        await queue.put(known)
        answers = await asyncio.gather(
            queue.enqueue([Task(1, None), known]), queue.enqueue([known]), queue.enqueue([Task(1, None)])
        )
        assert list(answers) == [[True, False], [False], [True]]

    async def test_an_error_belongs_to_whoever_caused_it(self, queue: AsyncQueue) -> None:
        outcomes = await asyncio.gather(
            queue.put(Task(1, "fine")),
            queue.put(Task(-1, "bad priority")),
            queue.put(Task(1, object())),
            queue.put("no task"),  # type: ignore[arg-type]
            queue.put_many([Task(1, "fine"), Task(1, "fine")]),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [bool, InvalidTask, InvalidTask, InvalidTask, bool]
        assert await queue.size() == 3

    async def test_a_full_queue_takes_what_fits(self, storage_url: str) -> None:
        async with AsyncQueue.from_url(storage_url, max_size=3) as queue:
            answers = await asyncio.gather(*(queue.put(Task(1, None), block=False) for _ in range(5)))
            assert sorted(answers) == [False, False, True, True, True]
            with pytest.raises(QueueFull):
                await queue.enqueue([Task(1, None)])
            assert await queue.put(Task(1, None), timeout=0.02) is False

    async def test_a_flood_of_refused_puts_costs_the_storage_a_few_steps(
        self, storage_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with AsyncQueue.from_url(storage_url, max_size=2) as queue:
            known, other = Task(1, "known"), Task(1, "other", queue="other")
            await queue.put(known)
            storage = queue.queue.storage
            enqueue, calls = storage.enqueue, []

            def counted(tasks: Sequence[NewTask]) -> list[bool]:
                calls.append(len(tasks))
                return enqueue(tasks)

            monkeypatch.setattr(storage, "enqueue", counted)
            flood = [queue.put(Task(1, None), block=False) for _ in range(200)]
            answers = await asyncio.gather(*flood, queue.enqueue([known]), queue.enqueue([other]))
            assert answers[:200] == [True] + [False] * 199
            assert answers[200:] == [[False], [True]]
            assert len(calls) <= 6

    async def test_a_blocked_put_goes_on_when_there_is_room(self, storage_url: str) -> None:
        async with AsyncQueue.from_url(storage_url, max_size=1) as queue:
            await queue.put(Task(1, None))
            blocked = asyncio.ensure_future(queue.put(Task(1, None), timeout=LIMIT))
            await take_one(queue)
            assert await blocked is True

    async def test_a_storage_that_is_away_is_one_error_for_all_at_once(
        self, queue: AsyncQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[int] = []

        def away(tasks: Sequence[NewTask]) -> list[bool]:
            calls.append(len(tasks))
            raise StorageUnavailable(queue.queue.storage.url, "gone")

        monkeypatch.setattr(queue.queue.storage, "enqueue", away)
        outcomes = await asyncio.gather(*(queue.put(Task(1, None)) for _ in range(50)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StorageUnavailable}
        assert len(calls) <= 3

    async def test_who_has_gone_while_the_storage_was_slow_is_passed_over(
        self, queue: AsyncQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage = queue.queue.storage
        enqueue, begun, goes_on = storage.enqueue, threading.Event(), threading.Event()

        def slow(tasks: Sequence[NewTask]) -> list[bool]:
            begun.set()
            assert goes_on.wait(LIMIT)
            return enqueue(tasks)

        monkeypatch.setattr(storage, "enqueue", slow)
        first = asyncio.ensure_future(queue.put(Task(1, "first")))
        assert await queue.run(begun.wait, LIMIT)
        gone = asyncio.ensure_future(queue.put(Task(1, "gone")))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        goes_on.set()
        assert await first is True
        assert await queue.put(Task(1, "last")) is True
        assert {task.payload for task in await queue.find()} == {"first", "last"}

    async def test_a_cancelled_put_spares_the_others(self, queue: AsyncQueue) -> None:
        puts = [asyncio.ensure_future(queue.put(Task(1, number))) for number in range(3)]
        await asyncio.sleep(0)
        puts[1].cancel()
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        assert (outcomes[0], type(outcomes[1]), outcomes[2]) == (True, asyncio.CancelledError, True)


class TestTaking:
    async def test_an_empty_queue_gives_nothing(self, queue: AsyncQueue) -> None:
        assert await queue.get(block=False) is None
        assert await queue.get(timeout=0.01) is None
        assert await queue.get(timeout=0) is None

    async def test_a_blocked_get_is_woken_by_a_put(self, queue: AsyncQueue) -> None:
        blocked = asyncio.ensure_future(queue.get(timeout=LIMIT))
        await asyncio.sleep(MOMENT)
        (task,) = await put_some(queue, 1)
        got = await blocked
        assert got is not None
        assert got.task_id == task.task_id

    async def test_a_task_that_comes_after_its_get_was_cancelled_is_given_back(self, queue: AsyncQueue) -> None:
        blocked = asyncio.ensure_future(queue.get(timeout=LIMIT))
        await asyncio.sleep(MOMENT)
        blocked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await blocked
        (task,) = await put_some(queue, 1)
        got = await take_one(queue)
        assert got.task_id == task.task_id

    async def test_a_get_that_is_cancelled_while_it_gets_loses_nothing(self, queue: AsyncQueue) -> None:
        tasks = await put_some(queue, 30)
        got: list[str] = []
        for number in range(60):
            getting = asyncio.ensure_future(queue.get(block=False))
            await asyncio.sleep(number * 0.00005)
            getting.cancel()
            taken = (await asyncio.gather(getting, return_exceptions=True))[0]
            if isinstance(taken, Task):
                got.append(taken.task_id)

        async def take_the_rest() -> bool:
            task = await queue.get(block=False)
            got.extend([] if task is None else [task.task_id])
            return len(got) == 30

        await soon(take_the_rest)
        assert set(got) == {task.task_id for task in tasks}

    async def test_many_blocked_gets_do_not_hold_up_other_calls(self, queue: AsyncQueue) -> None:
        (task,) = await put_some(queue, 1)
        await take_one(queue)
        blocked = [asyncio.ensure_future(queue.get(timeout=LIMIT)) for _ in range(64)]
        await asyncio.sleep(MOMENT)
        begin = time.monotonic()
        assert await queue.mark_completed(task.task_id) is True
        assert await queue.get(block=False) is None
        assert time.monotonic() - begin < 5
        for get in blocked:
            get.cancel()
        await asyncio.gather(*blocked, return_exceptions=True)

    async def test_failing_and_releasing(self, queue: AsyncQueue) -> None:
        (task,) = await put_some(queue, 1, max_retries=0)
        await take_one(queue)
        assert await queue.release(task.task_id) is True
        assert (await take_one(queue)).attempt == 2
        assert await queue.mark_failed(task.task_id, ValueError("no")) is True
        (letter,) = await queue.get_dead_letters()
        assert letter.error == "ValueError: no"
        assert await queue.requeue_dead() == 1
        assert await queue.size() == 1


class TestWaiting:
    async def test_many_wait_and_each_gets_its_own(self, queue: AsyncQueue) -> None:
        tasks = await put_some(queue, 50)
        waiting = [asyncio.ensure_future(queue.wait_result(task.task_id, LIMIT)) for task in tasks]
        for _ in tasks:
            task = await take_one(queue)
            await queue.mark_completed(task.task_id, result=task.payload)
        assert await asyncio.gather(*waiting) == list(range(50))

    async def test_a_result_that_is_there_needs_no_time(self, queue: AsyncQueue) -> None:
        (task,) = await put_some(queue, 1)
        await take_one(queue)
        await queue.mark_completed(task.task_id, result="there")
        assert await queue.wait_result(task.task_id, 0) == "there"

    async def test_time_unknown_tasks_and_failures_are_errors(self, queue: AsyncQueue) -> None:
        (task,) = await put_some(queue, 1)
        with pytest.raises(ResultTimeout):
            await queue.wait_result(task.task_id, 0.02)
        with pytest.raises(TaskNotFound):
            await queue.wait_result("nobody", LIMIT)
        assert await queue.cancel(task.task_id) is True
        with pytest.raises(TaskFailed, match="cancelled"):
            await queue.wait_result(task.task_id, LIMIT)

    async def test_a_cancelled_wait_leaves_no_thread_behind(self, queue: AsyncQueue) -> None:
        tasks = await put_some(queue, 10)
        waiting = [asyncio.ensure_future(queue.wait(task.task_id)) for task in tasks]
        for number, wait in enumerate(waiting):
            await asyncio.sleep(number * 0.0005)
            wait.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

        async def nobody_watches() -> bool:
            queue.queue.storage.wake()
            return not any(thread.name.startswith("dq-watcher") for thread in threading.enumerate())

        await soon(nobody_watches)


class TestLife:
    async def test_close_finishes_what_was_submitted(self, shared_url: str) -> None:
        queue = AsyncQueue.from_url(shared_url)
        puts = [asyncio.ensure_future(queue.put(Task(1, number))) for number in range(20)]
        await asyncio.sleep(0)
        await queue.close()
        assert await asyncio.gather(*puts) == [True] * 20
        with HybridQueue.from_url(shared_url) as again:
            assert again.size() == 20

    async def test_a_closed_queue_says_so(self, storage_url: str) -> None:
        before = set(threading.enumerate())
        queue = AsyncQueue.from_url(storage_url)
        blocked = asyncio.ensure_future(queue.get(timeout=LIMIT))
        await asyncio.sleep(MOMENT)
        await queue.close()
        await queue.close()
        with pytest.raises(QueueClosed):
            await queue.put(Task(1, None))
        with pytest.raises(QueueClosed):
            await blocked
        with pytest.raises(QueueClosed):
            await queue.size()
        assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("dq-")]

    async def test_the_other_verbs_are_there(self, queue: AsyncQueue) -> None:
        tasks = await put_some(queue, 3)
        await queue.pause()
        assert await queue.get(block=False) is None
        await queue.resume()
        assert (await queue.configure(max_size=7)).max_size == 7
        assert (await queue.get_stats())["max_size"] == 7
        assert [stats.depth for stats in await queue.queue_stats()] == [3]
        assert (await queue.health_check())["healthy"] is True
        assert (await queue.health()).engine
        assert await queue.workers() == []
        assert len(await queue.find(status="pending", limit=2)) == 2
        await queue.cancel(tasks[0].task_id)
        assert await queue.requeue(tasks[0].task_id) is True
        assert await queue.delete_dead() == 0
        assert await queue.clear() == 3


class TestSeveralLoops:
    def test_two_loops_share_one_queue(self, storage_url: str) -> None:
        queue = AsyncQueue.from_url(storage_url)
        tasks = {name: [Task(1, f"{name}{number}") for number in range(100)] for name in "ab"}

        async def submit(name: str) -> None:
            assert all(await asyncio.gather(*(queue.put(task) for task in tasks[name])))

        threads = [threading.Thread(target=asyncio.run, args=(submit(name),)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        assert asyncio.run(queue.size()) == 200
        asyncio.run(queue.close())

    def test_a_loop_that_ended_early_does_no_harm(self, storage_url: str) -> None:
        queue = AsyncQueue.from_url(storage_url)

        async def leave_early() -> None:
            leaving = asyncio.ensure_future(queue.put(Task(1, "left")))
            await asyncio.sleep(0)
            leaving.cancel()

        asyncio.run(leave_early())
        assert asyncio.run(queue.put(Task(1, "stayed"))) is True
        asyncio.run(queue.close())

    def test_plain_and_async_calls_mix(self, storage_url: str) -> None:
        queue = AsyncQueue.from_url(storage_url)
        task = put(queue.queue, "plain")
        waiting: list[Any] = []
        thread = threading.Thread(target=lambda: waiting.append(asyncio.run(queue.wait_result(task.task_id, LIMIT))))
        thread.start()
        eventually(lambda: any(each.name.startswith("dq-watcher") for each in threading.enumerate()))
        take(queue.queue)
        queue.queue.mark_completed(task.task_id, result="done")
        thread.join(LIMIT)
        assert waiting == ["done"]
        asyncio.run(queue.close())
