"""A real server for the tests of the API: uvicorn in a thread, on a free port."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from distributed_queue.api import ApiOptions, ApiServer, create_app
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.worker import WorkerConfig, WorkerPool
from distributed_queue.tests.steps import AT_ONCE, LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from distributed_queue.api.connection import ConnectionLimits

API = "/api/v1"
KEY = "a-secret-key"


class Api:
    """A server and a client of it."""

    def __init__(self, app: FastAPI, queue: HybridQueue, pool: WorkerPool | None, port: int) -> None:
        self.app = app
        self.queue = queue
        self.pool = pool
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url + API, timeout=LIMIT, trust_env=False)

    def get(self, path: str, **parameters: Any) -> Any:
        """Read a document; it has to be there."""
        return self.ok(self.client.get(path, params=parameters))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Change something, which has to succeed."""
        return self.ok(self.client.post(path, json=body, headers=headers))

    def submit(self, payload: Any = None, **fields: Any) -> dict[str, Any]:
        """Submit a task."""
        response = self.client.post("/tasks", json={"payload": payload, **fields})
        assert response.status_code == 201, response.text
        document: dict[str, Any] = response.json()
        return document

    def run(self, payload: Any = None, **fields: Any) -> dict[str, Any]:
        """Submit a task and wait until it is finished."""
        task = self.submit(payload, **fields)
        document: dict[str, Any] = self.get(f"/tasks/{task['task_id']}", wait=LIMIT)
        return document

    def problem(self, response: httpx.Response, status: int, code: str) -> dict[str, Any]:
        """The problem document of an answer, which has to be a complete one."""
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = response.json()
        assert document["code"] == code, document
        assert document["type"] == f"urn:distributedq:problem:{code}"
        assert document["status"] == status
        assert document["title"]
        assert document["detail"]
        assert document["instance"] == f"/requests/{response.headers['x-request-id']}"
        return document

    @staticmethod
    def ok(response: httpx.Response) -> Any:
        """The document of an answer that tells of success."""
        assert response.is_success, response.text
        assert response.headers["content-type"] == "application/json"
        return response.json()


@contextmanager
def running(app: FastAPI, limits: ConnectionLimits | None = None) -> Iterator[tuple[ApiServer, int]]:
    """Serve an application; gives the server and its port."""
    ready = threading.Event()
    ports: list[int] = []

    def note(port: int) -> None:
        ports.append(port)
        ready.set()

    server = ApiServer(app, port=0, shutdown_seconds=2.0, ready=note, limits=limits)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert ready.wait(LIMIT), "the server did not start"
        yield server, ports[0]
    finally:
        server.stop()
        thread.join(LIMIT)
        assert not thread.is_alive(), "the server did not stop"


@contextmanager
def serve(
    queue: HybridQueue | None = None,
    *,
    pool: WorkerPool | None = None,
    limits: ConnectionLimits | None = None,
    **options: Any,
) -> Iterator[Api]:
    """An API over ``queue``, or over a new one in memory; and its client, with the key where there is one."""
    own = HybridQueue() if queue is None else queue
    try:
        app = create_app(own, pool, ApiOptions(**options))
        with running(app, limits) as (_, port):
            api = Api(app, own, pool, port)
            if options.get("api_key"):
                api.client.headers["X-API-Key"] = options["api_key"]
            with api.client:
                yield api
    finally:
        if pool is not None:
            pool.stop_all()
        if queue is None:
            own.close()


def fail(data: Any) -> None:
    """A handler that fails."""
    raise ValueError(f"cannot do {data}")


def make_pool(queue: HybridQueue, **handlers: Any) -> WorkerPool:
    """A started pool of one worker: ``simple`` answers, ``boom`` fails."""
    pool = WorkerPool(queue)
    for name, handler in {"simple": lambda data: f"Completed: {data}", "boom": fail, **handlers}.items():
        pool.register_handler(name, handler, retry=AT_ONCE)
    pool.add_worker(WorkerConfig(name="w1", max_workers=4))
    pool.start_all()
    return pool


@contextmanager
def serve_with_workers(queue: HybridQueue | None = None, handlers: Any = None, **options: Any) -> Iterator[Api]:
    """As ``serve``, with a pool that runs."""
    own = HybridQueue() if queue is None else queue
    try:
        with serve(own, pool=make_pool(own, **(handlers or {})), **options) as api:
            yield api
    finally:
        if queue is None:
            own.close()


def dead_letters(api: Api, count: int, queue: str = "default") -> list[str]:
    """Make tasks that failed for good, without a worker; their ids, the first that died first."""
    ids = []
    for number in range(count):
        task = api.submit({"type": "boom", "number": number}, queue=queue, max_retries=0)
        taken = api.queue.get()
        assert taken is not None
        assert api.queue.mark_failed(taken.task_id, "it broke")
        ids.append(task["task_id"])
    return ids
