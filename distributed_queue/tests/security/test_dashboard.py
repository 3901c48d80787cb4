"""The dashboard has the same keys: every page and every action is asked, with no key and with a key of each role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.dashboard import ADDRESSES
from distributed_queue.tests.security.keyring import every_kind
from distributed_queue.tests.surfaces.api_server import KEY
from distributed_queue.tests.surfaces.dashboard_server import SAME_ORIGIN, Site, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN = frozenset({("GET", "/static/{name}"), ("GET", "/sign-in"), ("POST", "/sign-in")})
"""What has to be reached in order to sign in."""
CLOSED = sorted(set(ADDRESSES) - OPEN)


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def keys(keys_file: Path) -> dict[str, str]:
    return every_kind(keys_file)


@pytest.fixture(scope="module")
def served(keys_file: Path, keys: dict[str, str]) -> Iterator[Site]:
    with site(api_key=KEY, keys_file=keys_file) as place:
        yield place


@pytest.fixture
def closed(served: Site) -> Site:
    served.client.cookies.clear()
    return served


@pytest.mark.parametrize(("method", "template"), CLOSED)
def test_who_has_not_signed_in_sees_nothing_and_does_nothing(closed: Site, method: str, template: str) -> None:
    path = template.replace("{", "").replace("}", "")
    for headers in ({}, {"X-API-Key": KEY}, {"Cookie": "dq_session=guess; __Host-dq_session=guess"}):
        answer = closed.client.request(method, path, headers={**SAME_ORIGIN, **headers}, follow_redirects=False)
        assert answer.status_code in {303, 401, 403}, answer.text
        assert answer.status_code != 303 or answer.headers["location"].startswith("/sign-in?next=")


@pytest.mark.parametrize("kind", ["expired", "revoked", "unknown", "mistyped", "malformed"])
def test_a_key_that_does_not_count_does_not_sign_in(closed: Site, keys: dict[str, str], kind: str) -> None:
    closed.send("/sign-in", "/sign-in", status=401, key=keys[kind], next="/")
    assert closed.client.get("/", follow_redirects=False).status_code == 303


ACTIONS = [
    *((path, "") for method, path in CLOSED if method == "POST" and path not in {"/sign-out", "/tasks"}),
    *(("/tasks", action) for action in ("cancel", "retry", "delete")),
]


@pytest.mark.parametrize(("path", "action"), ACTIONS)
def test_who_may_only_read_changes_nothing(closed: Site, keys: dict[str, str], path: str, action: str) -> None:
    closed.sign_in(keys["read"])
    text = closed.send(path.replace("{", "").replace("}", ""), "/", status=403, action=action)
    assert "Not allowed" in text


def test_no_page_shows_a_key(closed: Site, keys: dict[str, str]) -> None:
    closed.sign_in(keys["admin"])
    for method, path in CLOSED:
        if method == "GET" and not path.startswith("/live"):
            text = closed.client.get(path.replace("{", "").replace("}", "")).text
            assert not [key for key in (KEY, *keys.values()) if key in text], path
    assert "API_KEY" in closed.client.get("/settings").text
