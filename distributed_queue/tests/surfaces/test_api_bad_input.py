"""Bad input: a clear problem, and nothing is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.tests.surfaces.api_server import Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


@pytest.fixture(autouse=True)
def nothing_is_stored(api: Api) -> Iterator[None]:
    yield
    assert api.get("/stats")["queue_size"] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", -1),
        ("priority", 1001),
        ("priority", 1.5),
        ("priority", "1"),
        ("priority", True),
        ("priority", None),
        ("priority", 10**30),
        ("queue", ""),
        ("queue", "a b"),
        ("queue", "a/b"),
        ("queue", "a\n"),
        ("queue", "ä"),
        ("queue", "q" * 101),
        ("queue", 5),
        ("queue", None),
        ("execute_after", "soon"),
        ("execute_after", -1),
        ("execute_after", 1e18),
        ("execute_after", "2030-13-01T00:00:00Z"),
        ("execute_after", True),
        ("execute_after", []),
        ("delay", -0.1),
        ("delay", "5"),
        ("delay", 1e12),
        ("max_retries", -1),
        ("max_retries", 10_001),
        ("max_retries", "3"),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", 1e12),
        ("expires_at", "never"),
        ("task_id", ""),
        ("task_id", "a b"),
        ("task_id", "x" * 201),
        ("task_id", 7),
        ("retry", {"backoff": "random"}),
        ("retry", {"base": -1}),
        ("retry", {"jitter": 2}),
        ("retry", {"factor": 0.5}),
        ("retry", {"more": 1}),
        ("retry", "often"),
        ("status", "completed"),
        ("attempts", 3),
    ],
)
def test_a_wrong_field_is_named(api: Api, field: str, value: Any) -> None:
    response = api.client.post("/tasks", json={"payload": 1, field: value})
    assert response.status_code == 422, response.text
    problem = api.problem(response, 422, response.json()["code"])
    assert all(error["pointer"].startswith(f"#/{field}") for error in problem["errors"])
    assert problem["errors"]


def test_a_list_backoff_needs_its_list(api: Api) -> None:
    response = api.client.post("/tasks", json={"payload": 1, "retry": {"backoff": "list"}})
    assert api.problem(response, 422, "invalid-task")["errors"][0]["pointer"] == "#/retry/delays"


def test_the_payload_is_needed(api: Api) -> None:
    problem = api.problem(api.client.post("/tasks", json={"priority": 1}), 422, "invalid-request")
    assert problem["errors"] == [{"pointer": "#/payload", "detail": "Field required", "code": "missing"}]


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "5", "[{}]"])
def test_a_body_that_is_no_object_is_refused(api: Api, body: str) -> None:
    api.problem(api.client.post("/tasks", content=body, headers=JSON), 422, "invalid-request")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "EOF"),
        ("{", "EOF"),
        ('{"payload": 1,}', "trailing comma"),
        ("{'payload': 1}", "key must be a string"),
        ('{"payload": "\\ud800"}', "surrogate"),
        ('{"payload": "\\udc00 alone"}', "surrogate"),
        (b'{"payload": "\xff"}', "unicode"),
        ('{"payload": ' + "[" * 5000 + "]" * 5000 + "}", "nested deeper than 64"),
        ('{"payload": ' + '{"a":' * 5000 + "1" + "}" * 5000 + "}", "nested deeper than 64"),
        ('{"payload": ' + "9" * 10_000 + "}", "out of range"),
    ],
    ids=range(10),
)
def test_what_is_no_json_is_refused_in_words(api: Api, body: str | bytes, words: str) -> None:
    problem = api.problem(api.client.post("/tasks", content=body, headers=JSON), 422, "invalid-json")
    assert words in problem["detail"]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("NaN", "not a JSON number"),
        ('{"a": [Infinity]}', "not a JSON number"),
        ("-Infinity", "not a JSON number"),
        ("1e999", "not a JSON number"),
        (str(2**64), "outside -2^63 to 2^64-1"),
        (str(-(2**63) - 1), "outside -2^63 to 2^64-1"),
        ("[" * 65 + "]" * 65, "nested deeper than 64"),
        (json.dumps({"type": "t" * 201}), "longer than 200"),
    ],
    ids=range(8),
)
def test_a_payload_that_cannot_be_kept_is_refused_in_words(api: Api, payload: str, words: str) -> None:
    response = api.client.post("/tasks", content=f'{{"payload": {payload}}}', headers=JSON)
    problem = api.problem(response, 422, "invalid-task")
    assert words in problem["detail"]
    assert problem["errors"][0]["pointer"].startswith("#/payload")


@pytest.mark.parametrize("field", ["delay", "timeout", "execute_after"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(api: Api, field: str, value: str) -> None:
    response = api.client.post("/tasks", content=f'{{"payload": 1, "{field}": {value}}}', headers=JSON)
    assert response.status_code == 422


def test_a_wrong_value_is_not_repeated_to_the_client(api: Api) -> None:
    response = api.client.post("/tasks", json={"payload": 1, "task_id": "<script>alert(1)</script>", "queue": "<b>"})
    assert "<" not in response.text


@pytest.mark.parametrize("path", ["/tasks", "/tasks/batch", "/dead-letters/requeue", "/workers", "/workers/w/scale"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_a_body_of_another_type_is_refused(api: Api, path: str, content_type: str) -> None:
    response = api.client.post(path, content=b'{"payload": 1}', headers={"content-type": content_type})
    assert "application/json" in api.problem(response, 415, "unsupported-media-type")["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
)
def test_json_by_its_other_names_is_taken(api: Api, content_type: str) -> None:
    response = api.client.post("/tasks", content=b'{"payload": 1}', headers={"content-type": content_type})
    assert response.status_code == 201
    api.client.delete("/queue/clear")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/dead-letters/requeue", {}),
        ("POST", "/dead-letters/requeue", {"ids": ["a"], "all": True}),
        ("POST", "/dead-letters/requeue", {"ids": []}),
        ("POST", "/dead-letters/requeue", {"ids": ["a b"]}),
        ("POST", "/dead-letters/requeue", {"all": "yes"}),
        ("DELETE", "/dead-letters", {"all": False}),
        ("DELETE", "/dead-letters", None),
        ("DELETE", "/dead-letters?all=true&id=x", None),
        ("DELETE", "/dead-letters?all=true", {"all": True}),
        ("DELETE", "/queue/clear?queue=a%20b", None),
        ("POST", "/queues/a%20b/pause", None),
        ("PATCH", "/queues/default", {"max_size": -1}),
        ("PATCH", "/queues/default", {"rate_limit": 0}),
        ("PATCH", "/queues/default", {"retention_count": None}),
        ("PATCH", "/queues/default", {"paused": True}),
        ("PATCH", "/queues/default", {"color": "red"}),
        ("POST", "/tasks/a%20b/cancel", None),
    ],
)
def test_requests_that_make_no_sense_are_refused(api: Api, method: str, path: str, body: Any) -> None:
    response = api.client.request(method, path, json=body) if body is not None else api.client.request(method, path)
    api.problem(response, 422, "invalid-request")


def test_other_endpoints_parse_as_strictly(api: Api) -> None:
    response = api.client.patch("/queues/default", content='{"rate_limit": NaN}', headers=JSON)
    api.problem(response, 422, "invalid-json")
    response = api.client.patch("/queues/default", content="[" * 5000, headers=JSON)
    api.problem(response, 422, "invalid-json")
