"""What every answer has, whichever endpoint gave it and however it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.api.auth.roles import ACCESS
from distributed_queue.tests.surfaces.api_server import API, KEY, Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

CACHEABLE = "/docs/static/"
"""What is the same for everyone; nothing else may be kept by a browser or a proxy."""


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serve(api_key=KEY) as served:
        yield served


def check(headers: httpx.Headers, path: str) -> None:
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "'unsafe-inline'" not in policy.get("script-src", "")
    allowed = {"public, max-age=86400", "no-store"} if CACHEABLE in path else {"no-store"}
    assert headers["cache-control"] in allowed
    assert headers["x-request-id"]
    for revealing in ("server", "x-powered-by", "access-control-allow-origin", "set-cookie"):
        assert revealing not in headers


@pytest.mark.parametrize(("method", "template"), sorted(ACCESS, key=str))
def test_every_answer_keeps_browsers_from_guessing_framing_and_keeping_it(api: Api, method: str, template: str) -> None:
    path = template.replace("{", "").replace("}", "")
    for key in (KEY, "wrong"):
        with api.client.stream(method, api.url + path, headers={"X-API-Key": key}) as response:
            expected = "no-cache" if path == f"{API}/events" else None
            if expected is None or response.status_code != 200:
                check(response.headers, path)
            else:
                assert response.headers["cache-control"] in {"no-store", expected}
                assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/docs/static/swagger-ui.css", "/docs/static/start.js", "/docs", "/nothing"])
def test_so_do_pages_their_parts_and_what_is_not_there(api: Api, path: str) -> None:
    check(api.client.get(api.url + path).headers, path)


def test_the_page_of_the_documentation_runs_scripts_of_this_server_only(api: Api) -> None:
    response = api.client.get(f"{api.url}/docs")
    policy = response.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self'" in policy
    assert "base-uri 'none'" in policy
    assert "<script>" not in response.text
    assert "http://" not in response.text
    assert "https://" not in response.text


def test_a_page_of_another_site_is_not_told_that_it_may_ask(api: Api) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response = api.client.options("/tasks", headers=headers)
    assert response.status_code in {401, 405}
    assert not [name for name in response.headers if name.startswith("access-control")]
