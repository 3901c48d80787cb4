"""Whatever comes is either taken or refused in order: no input makes a server error, none makes it hang."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from distributed_queue.api import ApiOptions, create_app
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.security.inprocess import InProcess
from distributed_queue.tests.surfaces.api_server import API, make_pool

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = [
    "",
    " ",
    "a b",
    "/",
    "..",
    "../../etc/passwd",
    "\x00",
    "a\r\nSet-Cookie: x=1",
    "a\n",
    "<script>alert(1)</script>",
    "'; DROP TABLE tasks; --",
    "\u202e\u0661\U0001f600é",
    "\ufffd" * 50,
    "%00%0a%2f",
    "dq:{default}:ready",
    "*",
    "-1",
    "0",
    "00",
    "1e999",
    "NaN",
    "-Infinity",
    str(2**64),
    "9" * 5000,
    "true",
    "null",
    "[]",
    "a" * 5000,
]
"""Values that a name, a number, a cursor or an id could be."""
DEEP = 100_000
JSON: dict[str, str | bytes] = {"Content-Type": "application/json"}


def _parameters() -> Iterator[tuple[str, str, str, str]]:
    """Method, path, kind and name of every parameter of every operation."""
    with HybridQueue() as queue:
        document = create_app(queue).openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for each in operation.get("parameters", ()):
                yield method.upper(), path, each["in"], each["name"]


PARAMETERS = list(_parameters())
BODIES = [
    ("POST", "/tasks"),
    ("POST", "/tasks/batch"),
    ("POST", "/dead-letters/requeue"),
    ("DELETE", "/dead-letters"),
    ("PATCH", "/queues/default"),
    ("POST", "/workers"),
    ("POST", "/workers/w/scale"),
]

WRONG: list[Any] = [None, True, 0, -1.5, "x", [], [[]], {}, {"": 1}, {"a" * 5000: 1}, {"all": 1}, {"name": "\x00"}]
OPENINGS = ["[", '{"a":', '{"payload":[', '{"payload":', '{"tasks":[', '{"tasks":[{"payload":[']


@pytest.fixture(scope="module")
def api() -> Iterator[InProcess]:
    options = ApiOptions(max_refusals_per_second=1e9)
    with HybridQueue() as queue:
        pool = make_pool(queue)
        with InProcess(create_app(queue, pool, options)) as asked:
            yield asked
        pool.stop_all()


def judge(api: InProcess, method: str, path: str, value: Any, **request: Any) -> None:
    """Fail unless the answer is a success, or a problem that is the client's."""
    answer = api.ask(method, path, **request)
    if answer.status >= 300:
        assert 400 <= answer.status < 500, (value, answer)
        assert answer.json["status"] == answer.status
        assert answer.json["code"]


@pytest.mark.parametrize(("method", "path", "kind", "name"), PARAMETERS)
def test_any_value_of_a_parameter_is_answered_in_order(
    api: InProcess, method: str, path: str, kind: str, name: str
) -> None:
    for value in HOSTILE:
        filled = path.replace(f"{{{name}}}", quote(value, safe="")).replace("{", "").replace("}", "")
        request: dict[str, Any] = {"params": {name: value}} if kind == "query" else {}
        if kind == "header":
            if not value.isprintable():
                continue  # no client can send it
            request["headers"] = {name: value.strip().encode()}
        judge(api, method, filled, value, **request)


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("opening", OPENINGS)
def test_a_body_nested_100_000_deep_is_refused(api: InProcess, method: str, path: str, opening: str) -> None:
    last = opening[-1] if opening[-1] == "[" else '{"a":'
    body = opening + last * DEEP
    answer = api.ask(method, API + path, content=body, headers=JSON)
    assert answer.status == 422, answer


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_body_of_the_wrong_kind_is_refused(api: InProcess, method: str, path: str) -> None:
    for value in WRONG:
        judge(api, method, API + path, value, content=json.dumps(value), headers=JSON)


def test_after_all_that_the_server_works(api: InProcess) -> None:
    api.ask("DELETE", f"{API}/queue/clear")
    api.ask("POST", f"{API}/workers/start")
    body = json.dumps({"payload": {"type": "simple", "data": "x"}, "task_id": "after-all"})
    assert api.ask("POST", f"{API}/tasks", content=body, headers=JSON).status == 201
    answer = api.ask("GET", f"{API}/tasks/after-all", params={"wait": "20"})
    assert answer.json["result"] == "Completed: x"
