"""The API key: whatever changes something needs it, whatever reads does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.api.options import ApiOptions
from distributed_queue.tests.surfaces.api_server import API, KEY, Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITING = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serve(api_key=KEY, max_failed_keys=10_000) as served:
        yield served


@pytest.fixture(scope="module")
def document(api: Api) -> Any:
    return api.client.get(f"{api.url}/openapi.json").json()


def paths(document: Any) -> list[str]:
    return [path.replace("{", "").replace("}", "") for path in document["paths"]]


@pytest.mark.parametrize("given", [None, "", "wrong", KEY[:-1], KEY + "x", KEY.upper()])
@pytest.mark.parametrize("method", WRITING)
def test_no_route_can_be_written_to_without_the_key(api: Api, document: Any, method: str, given: str | None) -> None:
    headers = {} if given is None else {"X-API-Key": given}
    del api.client.headers["X-API-Key"]
    try:
        for path in [*paths(document), "/", "/health", "/docs", "/nothing"]:
            response = api.client.request(method, api.url + path, headers=headers)
            problem = api.problem(response, 401, "unauthorized")
            assert response.headers["www-authenticate"].startswith("ApiKey")
            assert KEY not in response.text
            assert "X-API-Key" in problem["detail"]
    finally:
        api.client.headers["X-API-Key"] = KEY


def is_for_administrators(path: str) -> bool:
    """Whether even reading needs a key: where messages go may be a secret."""
    return path.startswith(f"{API}/webhooks")


def test_reading_needs_no_key(api: Api, document: Any) -> None:
    del api.client.headers["X-API-Key"]
    try:
        for path, operations in document["paths"].items():
            if "get" in operations and path != f"{API}/events" and not is_for_administrators(path):
                assert api.client.get(api.url + path.replace("{", "").replace("}", "")).status_code in {200, 404}
        with api.client.stream("GET", "/events") as stream:
            assert stream.status_code == 200
    finally:
        api.client.headers["X-API-Key"] = KEY


def test_the_key_opens(api: Api) -> None:
    assert api.submit("x")["status"] == "pending"


def test_reading_changes_nothing(api: Api, document: Any) -> None:
    before = {key: value for key, value in api.get("/stats").items() if key != "queues"}
    position = api.queue.storage.journal_tail("default")
    for path, operations in document["paths"].items():
        if "get" in operations and path != f"{API}/events":
            api.client.get(api.url + path.replace("{", "").replace("}", ""))
    assert {key: value for key, value in api.get("/stats").items() if key != "queues"} == before
    assert api.queue.storage.journal_tail("default") == position


def test_every_operation_that_writes_is_documented_to_need_the_key(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method.upper() in WRITING or is_for_administrators(path):
                assert operation["security"] == [{"ApiKey": []}, {"Bearer": []}]
                assert operation["responses"].keys() >= {"401", "403", "429"}
            else:
                assert "security" not in operation


def test_without_a_key_set_everyone_may_write() -> None:
    with serve() as api:
        assert api.submit("x")["status"] == "pending"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_may_not_write(site: str) -> None:
    with serve() as api:
        response = api.client.post("/workers/stop", headers={"Sec-Fetch-Site": site})
        api.problem(response, 403, "cross-site")
        assert api.client.get("/stats", headers={"Sec-Fetch-Site": site}).status_code == 200


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_pages_of_this_server_may_write(site: str) -> None:
    with serve() as api:
        response = api.client.post("/tasks", json={"payload": 1}, headers={"Sec-Fetch-Site": site})
        assert response.status_code == 201


def test_the_key_is_not_shown_with_the_options() -> None:
    assert KEY not in repr(ApiOptions(api_key=KEY))
