"""Errors: each has its problem document, and none tells what is not the client's business."""

from __future__ import annotations

import http
import logging
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue import errors
from distributed_queue.api.problems import PROBLEMS, from_error
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.errors import DistributedQueueError, StorageFull, StorageIncompatible, StorageUnavailable
from distributed_queue.tests.steps import LIMIT, eventually
from distributed_queue.tests.surfaces.api_server import API, Api, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.testing.servers import RedisServer

SECRET_PATH = "/var/lib/hidden/queue.db"


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


class Faulty:
    """A storage some of whose verbs fail."""

    def __init__(self, storage: Any, error: Exception, *verbs: str) -> None:
        self._storage = storage
        self._error = error
        self._verbs = verbs

    def __getattr__(self, name: str) -> Any:
        if name in self._verbs:
            return self._fail
        return getattr(self._storage, name)

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise self._error


def break_storage(api: Api, error: Exception, *verbs: str) -> Callable[[], None]:
    """Let verbs of the API's storage fail, until the function given back is called."""
    queue: Any = api.queue
    whole = queue.storage
    queue.storage = Faulty(whole, error, *verbs)

    def mend() -> None:
        queue.storage = whole

    return mend


def every_error(root: type[DistributedQueueError] = DistributedQueueError) -> Iterator[type[DistributedQueueError]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from every_error(kind)


@pytest.mark.parametrize("kind", sorted(set(every_error()), key=str))
def test_every_error_of_the_library_is_in_the_table(kind: type[DistributedQueueError]) -> None:
    problem = PROBLEMS[kind.code]
    assert problem.title
    assert http.HTTPStatus(problem.status)
    if issubclass(kind, errors.InvalidInput) and problem.status < 500:
        assert problem.status in {400, 413, 422}
    if kind.transient and problem.status not in {429, 503, 504, 507}:
        pytest.fail("a client may try again, and has to be told so")


def test_statuses_are_those_of_the_specification() -> None:
    statuses = {code: PROBLEMS[code].status for code in ("queue-full", "storage-full", "storage-unavailable")}
    assert statuses == {"queue-full": 429, "storage-full": 507, "storage-unavailable": 503}
    assert PROBLEMS["task-not-found"].status == 404
    assert PROBLEMS["task-conflict"].status == 409
    assert PROBLEMS["payload-too-large"].status == 413
    assert PROBLEMS["invalid-cursor"].status == 400


@pytest.mark.parametrize(
    "kind", [errors.StorageError, errors.StorageFull, errors.StorageIncompatible, errors.HandlerError]
)
def test_messages_that_could_name_a_file_are_not_shown(kind: type[DistributedQueueError]) -> None:
    assert SECRET_PATH not in from_error(kind(f"cannot write {SECRET_PATH}")).detail


@pytest.mark.parametrize(
    "path", ["/nothing", f"{API}/nothing", f"{API}/tasks/", f"{API}/tasks/a/b/c", "/docs/static/../x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_a_problem_too(api: Api, method: str, path: str) -> None:
    api.problem(api.client.request(method, api.url + path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/tasks", "GET, HEAD, POST"),
        ("DELETE", "/tasks/x", "GET, HEAD"),
        ("GET", "/workers/start", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("GET", "/queue/clear", "DELETE"),
        ("PATCH", "/dead-letters", "DELETE, GET, HEAD"),
        ("OPTIONS", "/tasks", "GET, HEAD, POST"),
    ],
)
def test_another_method_is_told_which_there_are(api: Api, method: str, path: str, allowed: str) -> None:
    response = api.client.request(method, path)
    if path == "/workers/start":
        # It is also the address of a worker of that name.
        api.problem(response, 404, "worker-not-found")
        return
    api.problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


def test_a_full_queue_says_depth_and_limit_and_when_to_come_back(api: Api) -> None:
    api.queue.configure(max_size=2)
    for number in range(2):
        api.submit(number)
    response = api.client.post("/tasks", json={"payload": 3})
    problem = api.problem(response, 429, "queue-full")
    assert (problem["queue"], problem["depth"], problem["limit"]) == ("default", 2, 2)
    assert problem["retry_after_seconds"] > 0
    assert int(response.headers["retry-after"]) >= 1


def test_an_error_that_nobody_expected_shows_nothing_of_itself(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    break_storage(api, KeyError(SECRET_PATH), "stats")
    with caplog.at_level(logging.ERROR):
        response = api.client.get("/stats", headers={"X-Request-ID": "find-me"})
    api.problem(response, 500, "internal-error")
    assert SECRET_PATH not in response.text
    assert "Traceback" not in response.text
    assert "KeyError" not in response.text
    assert "find-me" in caplog.text
    assert SECRET_PATH in caplog.text
    assert api.client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "verb"),
    [
        ("POST", "/tasks", {"payload": 1}, "enqueue"),
        ("POST", "/tasks/batch", {"tasks": [{"payload": 1}]}, "enqueue"),
        ("GET", "/tasks", None, "find"),
        ("GET", "/tasks/x", None, "get"),
        ("GET", "/tasks/x?wait=5", None, "get"),
        ("POST", "/tasks/x/cancel", None, "get"),
        ("POST", "/tasks/x/retry", None, "get"),
        ("GET", "/stats", None, "stats"),
        ("GET", "/queues", None, "stats"),
        ("GET", "/queues/default", None, "stats"),
        ("POST", "/queues/default/pause", None, "pause"),
        ("POST", "/queues/default/resume", None, "resume"),
        ("PATCH", "/queues/default", {"max_size": 1}, "configure"),
        ("DELETE", "/queue/clear", None, "clear"),
        ("GET", "/dead-letters", None, "find"),
        ("POST", "/dead-letters/requeue", {"all": True}, "find"),
        ("DELETE", "/dead-letters?all=true", None, "find"),
        ("GET", "/workers", None, "workers"),
        ("POST", "/workers/x/pause", None, "workers"),
    ],
)
def test_a_storage_that_is_away_is_503_everywhere(api: Api, method: str, path: str, body: Any, verb: str) -> None:
    error = StorageUnavailable(f"sqlite://{SECRET_PATH}", "secret cause")
    mend = break_storage(api, error, verb)
    response = api.client.request(method, path, json=body) if body else api.client.request(method, path)
    problem = api.problem(response, 503, "storage-unavailable")
    assert response.headers["retry-after"] == "5"
    assert problem["retry_after_seconds"] == 5
    assert SECRET_PATH not in response.text
    assert "secret cause" not in response.text
    mend()
    assert api.client.get("/stats").status_code == 200


def test_a_full_disk_is_507_and_reading_goes_on(api: Api) -> None:
    kept = api.submit("before")
    break_storage(api, StorageFull(f"no space left for {SECRET_PATH}"), "enqueue")
    for path, body in (("/tasks", {"payload": 1}), ("/tasks/batch", {"tasks": [{"payload": 1}]})):
        response = api.client.post(path, json=body)
        api.problem(response, 507, "storage-full")
        assert SECRET_PATH not in response.text
    assert api.get(f"/tasks/{kept['task_id']}")["payload"] == "before"


def test_a_storage_that_cannot_be_used_does_not_say_why_to_clients(api: Api) -> None:
    break_storage(api, StorageIncompatible(f"{SECRET_PATH} is of layout 7"), "stats")
    response = api.client.get("/stats")
    api.problem(response, 500, "storage-incompatible")
    assert SECRET_PATH not in response.text


def test_a_closed_queue_is_503(api: Api) -> None:
    api.queue.close()
    api.problem(api.client.get("/stats"), 503, "queue-closed")
    api.problem(api.client.get("/ready"), 503, "not-ready")


@pytest.mark.slow
def test_a_storage_that_goes_and_comes_back(redis_server: RedisServer) -> None:
    redis_server.flush()
    with HybridQueue.from_url(redis_server.url) as queue, serve(queue) as api:
        api.submit("before")
        redis_server.stop()
        try:
            api.problem(api.client.post("/tasks", json={"payload": 1}), 503, "storage-unavailable")
            api.problem(api.client.get("/stats"), 503, "storage-unavailable")
            api.problem(api.client.get("/ready"), 503, "not-ready")
            assert api.client.get("/health").status_code == 200
            assert "distributedq_storage_up" in api.client.get("/metrics").text
        finally:
            redis_server.start()
        eventually(lambda: api.client.get("/ready").status_code == 200, LIMIT)
        assert api.client.post("/tasks", json={"payload": 1}).status_code == 201


def test_every_answer_has_the_headers_that_keep_it_safe(api: Api) -> None:
    for path in ("/api/v1/health", "/nothing", "/docs", "/openapi.json", "/api/v1/metrics", "/api/v1/tasks/none"):
        headers = api.client.get(api.url + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-request-id"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3:x", True), ("a b", False), ("x" * 129, False), ("<x>", False)])
def test_a_harmless_request_id_is_kept(api: Api, given: str, kept: bool) -> None:
    answered = api.client.get("/health", headers={"X-Request-ID": given}).headers["x-request-id"]
    assert (answered == given) is kept


def test_every_get_answers_head_without_a_body(api: Api) -> None:
    for path in ("/health", "/stats", "/tasks", "/metrics", "/queues/default"):
        response = api.client.head(path)
        assert response.status_code == 200
        assert response.content == b""
        assert int(response.headers["content-length"]) > 0
