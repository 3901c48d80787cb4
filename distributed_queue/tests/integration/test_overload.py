"""More than the server can do: a full queue, and a storage that hangs. Refused in time, and well again by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.testing.servers import RedisServer
from distributed_queue.tests.steps import LIMIT, eventually
from distributed_queue.tests.surfaces.api_server import Api, serve, serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

BODY = {"payload": {"type": "simple", "data": "x"}}
LOCKING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""
"""A program that keeps others from writing until its input ends."""


def submit_many(api: Api, count: int) -> list[httpx.Response]:
    """Submit tasks, all at the same time."""

    async def submit() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=count)
        async with httpx.AsyncClient(
            base_url=api.client.base_url, timeout=LIMIT, limits=limits, trust_env=False
        ) as client:
            return list(await asyncio.gather(*(client.post("/tasks", json=BODY) for _ in range(count))))

    return asyncio.run(submit())


class Hanging:
    """A storage that can be made to hang, and go on."""

    def __init__(self, url: str, hang: Callable[[], AbstractContextManager[None]]) -> None:
        self.url = url
        self.hang = hang


@pytest.fixture
def hanging_redis(tmp_path: Path) -> Iterator[Hanging]:
    with RedisServer(tmp_path / "redis") as server:
        pid = server.pid
        assert pid is not None

        @contextmanager
        def hang() -> Iterator[None]:
            os.kill(pid, signal.SIGSTOP)
            try:
                yield
            finally:
                os.kill(pid, signal.SIGCONT)

        yield Hanging(server.url, hang)


@pytest.fixture
def hanging_sqlite(tmp_path: Path) -> Hanging:
    path = str(tmp_path / "queue.db")

    @contextmanager
    def hang() -> Iterator[None]:
        command = [sys.executable, "-c", LOCKING, path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield
            process.communicate()

    return Hanging(f"sqlite:///{path}", hang)


@pytest.fixture(params=["redis", "sqlite"])
def hanging(request: pytest.FixtureRequest) -> Hanging:
    storage: Hanging = request.getfixturevalue(f"hanging_{request.param}")
    return storage


def kinds(api: Api, answers: list[httpx.Response]) -> Counter[str]:
    """How often each kind of refusal came, each of which says when to come back."""
    codes: Counter[str] = Counter()
    for answer in answers:
        assert answer.status_code in {201, 429, 503}, answer.text
        codes[answer.json().get("code", "created")] += 1
        if answer.status_code != 201:
            assert int(answer.headers["retry-after"]) > 0
    return codes


def test_a_full_queue_refuses_what_does_not_fit_and_takes_more_when_there_is_room(storage_url: str) -> None:
    with HybridQueue.from_url(storage_url, max_size=5) as queue, serve(queue) as api:
        answers = submit_many(api, 25)
        assert kinds(api, answers) == {"created": 5, "queue-full": 20}
        refused: list[dict[str, Any]] = [answer.json() for answer in answers if answer.status_code == 429]
        assert {(problem["queue"], problem["depth"], problem["limit"]) for problem in refused} <= {
            ("default", depth, 5) for depth in range(6)
        }
        assert queue.size() == 5
        taken = queue.get(block=False)
        assert taken is not None
        assert api.client.post("/tasks", json=BODY).status_code == 201


def test_a_storage_that_hangs_is_told_in_time_and_keeps_a_few_requests_waiting(hanging: Hanging) -> None:
    with (
        HybridQueue.from_url(hanging.url) as queue,
        serve(queue, max_requests=8, answer_seconds=3.0) as api,
    ):
        with hanging.hang():
            codes = kinds(api, submit_many(api, 30))
            assert codes == {"overloaded": 22, "storage-unavailable": 8}
            # Whoever was told is gone: another may wait in its place.
            api.problem(api.client.post("/tasks", json=BODY), 503, "storage-unavailable")
            assert api.client.get("/health").status_code == 200
        eventually(lambda: api.client.post("/tasks", json=BODY).status_code == 201)
        before = queue.size()
        assert kinds(api, submit_many(api, 8)) == {"created": 8}
        assert queue.size() == before + 8


def test_reading_from_a_storage_that_hangs_ends_in_time_too(hanging_redis: Hanging) -> None:
    with HybridQueue.from_url(hanging_redis.url) as queue, serve(queue, answer_seconds=1.0) as api:
        with hanging_redis.hang():
            api.problem(api.client.get("/tasks"), 503, "storage-unavailable")
        assert api.get("/tasks")["items"] == []


def test_workers_go_on_when_the_storage_does(hanging: Hanging) -> None:
    with HybridQueue.from_url(hanging.url) as queue, serve_with_workers(queue, answer_seconds=1.0) as api:
        with hanging.hang():
            api.problem(api.client.post("/tasks", json=BODY), 503, "storage-unavailable")
        eventually(lambda: api.client.post("/tasks", json=BODY).status_code == 201)
        eventually(lambda: api.get("/stats")["counts"]["completed"] >= 1)
        eventually(lambda: api.get("/stats")["queue_size"] == 0)


def test_requests_that_wait_for_tasks_are_limited_apart() -> None:
    with serve(max_requests=2, max_waits=3) as api:
        task = api.submit("x")["task_id"]

        async def wait_for_it() -> list[int]:
            async with httpx.AsyncClient(base_url=api.client.base_url, timeout=LIMIT, trust_env=False) as client:
                waiting = [asyncio.ensure_future(client.get(f"/tasks/{task}", params={"wait": 60})) for _ in range(5)]
                refused, held = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                while len(refused) < 2:
                    more, held = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
                    refused |= more
                assert (await client.get(f"/tasks/{task}")).status_code == 200
                assert (await client.post(f"/tasks/{task}/cancel")).status_code == 200
                return sorted([(await each).status_code for each in waiting])

        assert asyncio.run(wait_for_it()) == [200, 200, 200, 503, 503]


def test_bodies_that_take_too_much_together_are_refused() -> None:
    big = {"payload": "x" * 50_000}
    with serve(max_request_bytes=40_000) as api:
        api.problem(api.client.post("/tasks", json=big), 503, "overloaded")
        assert api.client.post("/tasks", json=BODY).status_code == 201
