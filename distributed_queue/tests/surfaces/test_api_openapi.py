"""The OpenAPI document is valid, complete, and true; the page that shows it needs no network."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_schema_validator import validate as check
from openapi_spec_validator import validate

from distributed_queue.api import create_app
from distributed_queue.api.problems import PROBLEMS
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.surfaces.api_server import API, Api, serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECIFIED = {
    ("post", "/tasks"),
    ("post", "/tasks/batch"),
    ("get", "/tasks/{task_id}"),
    ("get", "/tasks"),
    ("post", "/tasks/{task_id}/cancel"),
    ("post", "/tasks/{task_id}/retry"),
    ("get", "/stats"),
    ("get", "/dead-letters"),
    ("post", "/dead-letters/requeue"),
    ("delete", "/dead-letters"),
    ("get", "/workers"),
    ("post", "/workers"),
    ("post", "/workers/start"),
    ("post", "/workers/stop"),
    ("delete", "/workers/{worker_name}"),
    ("delete", "/queue/clear"),
    ("post", "/queues/{name}/pause"),
    ("post", "/queues/{name}/resume"),
    ("get", "/health"),
    ("get", "/ready"),
    ("get", "/metrics"),
    ("get", "/metrics/json"),
    ("get", "/events"),
}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serve_with_workers() as served:
        yield served


@pytest.fixture(scope="module")
def document(api: Api) -> Any:
    return api.client.get(f"{api.url}/openapi.json").json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_the_document_is_valid(document: Any) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_endpoint_of_the_specification_is_there(document: Any) -> None:
    there = {(method, path.removeprefix(API)) for method, path, _ in operations(document)}
    assert there >= SPECIFIED


def test_names_are_a_verb_and_a_noun_and_unique(document: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert not [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)]


def test_every_operation_says_what_it_does(document: Any) -> None:
    declared = {tag["name"] for tag in document["tags"]}
    for _, _, operation in operations(document):
        assert operation["description"].endswith(".")
        assert operation["summary"]
        assert set(operation["tags"]) <= declared


def test_every_body_and_answer_has_an_example_that_fits(document: Any) -> None:
    registry = {"components": document["components"]}
    for _, path, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            for media_type, media in body.get("content", {}).items():
                examples = [each["value"] for each in media.get("examples", {}).values()]
                examples += [media["example"]] if "example" in media else []
                assert examples, f"{path}: {media_type} has no example"
                if "json" in media_type:
                    for example in examples:
                        check(example, {**registry, **media["schema"]}, cls=OAS31Validator)


def test_every_error_is_a_problem_document(document: Any) -> None:
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], path
        assert {"422", "500", "503"} <= operation["responses"].keys()
        if "requestBody" in operation:
            assert {"401", "403", "413", "415", "507"} <= operation["responses"].keys()


def test_every_answer_of_a_problem_is_one_that_the_table_has(document: Any) -> None:
    assert set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == set(PROBLEMS)


def test_inputs_take_nothing_unknown(document: Any) -> None:
    schemas = document["components"]["schemas"]
    inputs = [name for name in schemas if name.endswith("In")]
    assert inputs
    assert all(schemas[name]["additionalProperties"] is False for name in inputs)


@pytest.mark.parametrize(
    ("method", "path", "template", "body"),
    [
        ("post", "/tasks", "/tasks", {"payload": {"type": "simple", "data": 1}, "task_id": "fits"}),
        ("post", "/tasks/batch", "/tasks/batch", {"tasks": [{"payload": 1}]}),
        ("get", "/tasks/fits", "/tasks/{task_id}", None),
        ("get", "/tasks?limit=5", "/tasks", None),
        ("get", "/stats", "/stats", None),
        ("get", "/dead-letters", "/dead-letters", None),
        ("get", "/queues", "/queues", None),
        ("get", "/queues/default", "/queues/{name}", None),
        ("get", "/workers", "/workers", None),
        ("get", "/health", "/health", None),
        ("get", "/ready", "/ready", None),
        ("get", "/tasks/nothing", "/tasks/{task_id}", None),
        ("get", "/tasks?limit=0", "/tasks", None),
    ],
)
def test_answers_are_what_the_document_says(
    api: Api, document: Any, method: str, path: str, template: str, body: Any
) -> None:
    api.client.post("/tasks", json={"payload": {"type": "simple", "data": 1}, "task_id": "fits"})
    response = api.client.request(method, path, json=body)
    described = document["paths"][API + template][method]["responses"][str(response.status_code)]
    schema = described["content"][response.headers["content-type"]]["schema"]
    check(response.json(), {"components": document["components"], **schema}, cls=OAS31Validator)


def test_the_document_is_the_same_every_time() -> None:
    documents = []
    for _ in range(2):
        with HybridQueue() as queue:
            documents.append(json.dumps(create_app(queue).openapi(), sort_keys=True))
    assert documents[0] == documents[1]


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    page = api.client.get(f"{api.url}/docs")
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert links
    assert not [link for link in links if "//" in link]
    assert "<script>" not in page.text
    for link in links:
        if link.startswith("/"):
            assert api.client.get(api.url + link).status_code == 200
    assert "script-src 'self';" in page.headers["content-security-policy"]


def test_the_home_page_leads_to_the_documentation(api: Api) -> None:
    response = api.client.get(f"{api.url}/")
    assert response.status_code == 307
    assert response.headers["location"] == "/docs"


def test_parts_of_the_page_come_packed_or_not_as_the_client_can(api: Api) -> None:
    url = f"{api.url}/docs/static/swagger-ui.css"
    packed = api.client.get(url, headers={"Accept-Encoding": "gzip"})
    plain = api.client.get(url, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert plain.headers["content-type"].startswith("text/css")
    api.problem(api.client.get(f"{api.url}/docs/static/app.py"), 404, "not-found")


def test_vendored_files_are_the_ones_that_their_page_names() -> None:
    folder = resources.files("distributed_queue.api") / "static"
    page = (folder / "README.md").read_text()
    sums = dict(re.findall(r"^ {4}([0-9a-f]{64})  (\S+)$", page, re.MULTILINE))
    assert len(sums) == 2
    for digest, name in sums.items():
        content = gzip.decompress((folder / f"{name}.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest
