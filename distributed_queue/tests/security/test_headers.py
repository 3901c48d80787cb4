"""What every answer has, whichever endpoint gave it and however it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.api import ApiOptions, create_app
from distributed_queue.api.auth.roles import ACCESS
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.security.inprocess import InProcess
from distributed_queue.tests.surfaces.api_server import API, KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.datastructures import Headers

CACHEABLE = "/docs/static/"
"""What is the same for everyone; nothing else may be kept by a browser or a proxy."""


@pytest.fixture(scope="module")
def api() -> Iterator[InProcess]:
    with HybridQueue() as queue, InProcess(create_app(queue, options=ApiOptions(api_key=KEY))) as asked:
        yield asked


def check(headers: Headers, path: str) -> None:
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "'unsafe-inline'" not in policy.get("script-src", "")
    allowed = {"no-store"} | ({"public, max-age=86400"} if CACHEABLE in path else set())
    allowed |= {"no-cache"} if path == f"{API}/events" else set()
    assert headers["cache-control"] in allowed
    assert headers["x-request-id"]
    for revealing in ("server", "x-powered-by", "access-control-allow-origin", "set-cookie"):
        assert revealing not in headers


@pytest.mark.parametrize(("method", "template"), sorted(ACCESS, key=str))
def test_every_answer_keeps_browsers_from_guessing_framing_and_keeping_it(
    api: InProcess, method: str, template: str
) -> None:
    path = template.replace("{", "").replace("}", "")
    for key in (KEY, "wrong"):
        answer = api.ask(method, path, headers={"X-API-Key": key})
        check(answer.headers, path)


@pytest.mark.parametrize("path", ["/docs/static/swagger-ui.css", "/docs/static/start.js", "/docs", "/nothing"])
def test_so_do_pages_their_parts_and_what_is_not_there(api: InProcess, path: str) -> None:
    check(api.ask("GET", path).headers, path)


def test_the_page_of_the_documentation_runs_scripts_of_this_server_only(api: InProcess) -> None:
    answer = api.ask("GET", "/docs")
    policy = answer.headers["content-security-policy"]
    page = answer.body.decode()
    assert "script-src 'self';" in policy
    assert "connect-src 'self'" in policy
    assert "base-uri 'none'" in policy
    assert "<script>" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_page_of_another_site_is_not_told_that_it_may_ask(api: InProcess) -> None:
    headers: dict[str, str | bytes] = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = api.ask("OPTIONS", f"{API}/tasks", headers=headers)
    assert answer.status in {401, 405}
    assert not [name for name in answer.headers if name.startswith("access-control")]
