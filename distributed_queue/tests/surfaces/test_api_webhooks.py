"""Webhooks over REST."""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.tests.receiver import Receiver, Reply
from distributed_queue.tests.surfaces.api_server import serve
from distributed_queue.webhooks import AddressRules, Register, read_endpoints

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from distributed_queue.tests.surfaces.api_server import Api

ALLOWED = "https://127.0.0.1/hooks"
EVERY_ACTION = [
    ("GET", ""),
    ("DELETE", ""),
    *(("POST", f"/{verb}") for verb in ("disable", "enable", "rotate", "test")),
]


def look_up(host: str, port: int, **_: Any) -> Sequence[Any]:
    """Names lead to addresses as they say."""
    known = {"private.example": "10.0.0.1", "public.example": "93.184.215.14", "127.0.0.1": "127.0.0.1"}
    if host not in known:
        raise OSError("not known")
    return [(2, 1, 6, "", (known[host], port))]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "webhooks.json"


@contextmanager
def serving(file: Path, **options: Any) -> Iterator[Api]:
    rules = AddressRules([ip_network("127.0.0.0/8")], http=True, look_up=look_up)
    with serve(webhooks=Register(file, rules), **options) as api:
        yield api


def add(api: Api, url: str = ALLOWED, **fields: Any) -> Any:
    response = api.client.post("/webhooks", json={"url": url, **fields})
    assert response.status_code == 201, response.text
    assert response.headers["location"].endswith(f"/webhooks/{response.json()['id']}")
    return response.json()


def test_a_webhook_is_added_and_its_secret_shown_this_once(file: Path) -> None:
    with serving(file) as api:
        made = add(api, events=["task.dead"], queues=["mail*"], types=["invoice"], payload=True)
        secret = made.pop("secret")
        assert secret.startswith("whsec_")
        assert api.get("/webhooks") == {"items": [made]}
        assert api.get(f"/webhooks/{made['id']}") == made
    [endpoint] = read_endpoints(file)
    assert (endpoint.events, endpoint.queues, endpoint.types) == (("task.dead",), ("mail*",), ("invoice",))
    assert (endpoint.payload, endpoint.secrets[0].text) == (True, secret)


def test_a_webhook_is_disabled_enabled_and_removed(file: Path) -> None:
    with serving(file) as api:
        path = f"/webhooks/{add(api)['id']}"
        disabled = api.post(f"{path}/disable")
        assert (disabled["enabled"], disabled["disabled_because"]) == (False, "over REST")
        assert not read_endpoints(file)[0].enabled
        assert api.post(f"{path}/enable")["enabled"]
        assert api.ok(api.client.delete(path)) == {"removed": [path.removeprefix("/webhooks/")]}
        assert api.get("/webhooks") == {"items": []}


def test_a_rotated_secret_stays_beside_the_new_one_for_a_while(file: Path) -> None:
    with serving(file) as api:
        made = add(api)
        renewed = api.post(f"/webhooks/{made['id']}/rotate?keep_seconds=60")
        [endpoint] = read_endpoints(file)
        assert [each.text for each in endpoint.secrets] == [renewed["secret"], made["secret"]]
        assert endpoint.secrets[1].until is not None
        last = api.post(f"/webhooks/{made['id']}/rotate?keep_seconds=0")
        present = [each.text for each in read_endpoints(file)[0].secrets if each.signs(endpoint.created_at + 3600)]
        assert present == [last["secret"]]


def test_a_trial_says_what_came_back(file: Path) -> None:
    replies = iter([Reply(), Reply(500, body=b"no room")])
    with Receiver(lambda _: next(replies)) as receiver, serving(file) as api:
        path = f"/webhooks/{add(api, receiver.url)['id']}/test"
        assert api.post(path) == {"taken": True, "status": 204, "detail": None}
        assert api.post(path) == {"taken": False, "status": 500, "detail": "no room"}
    assert receiver.received[0].document["type"] == "webhook.test"


def test_a_trial_says_why_nothing_came_back(file: Path) -> None:
    with serving(file) as api:
        path = f"/webhooks/{add(api, 'https://unknown.example/')['id']}/test"
        found = api.post(path)
    assert (found["taken"], found["status"]) == (False, None)
    assert "unknown.example cannot be reached" in found["detail"]


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"url": "https://private.example/"}, "forbidden-address", "DQ_WEBHOOKS_ALLOW"),
        ({"url": "ftp://public.example/"}, "configuration", "begins with https://"),
        ({"url": "https://user:pw@public.example/"}, "configuration", "user or a password"),
        ({"url": "https://public.example/", "events": ["task.done"]}, "configuration", "not an event"),
        ({"url": "https://public.example/", "events": ["x" * 201]}, "invalid-request", "events"),
        ({"url": "https://public.example/", "secret": "mine"}, "invalid-request", "secret"),
        ({}, "invalid-request", "url"),
    ],
)
def test_what_must_not_or_cannot_be_is_refused_in_words(file: Path, body: Any, code: str, says: str) -> None:
    with serving(file) as api:
        problem = api.problem(api.client.post("/webhooks", json=body), 422, code)
        assert says in problem["detail"]
    assert not file.exists()


@pytest.mark.parametrize(("method", "verb"), EVERY_ACTION)
def test_a_webhook_that_is_not_known_is_told_so(file: Path, method: str, verb: str) -> None:
    with serving(file) as api:
        api.problem(api.client.request(method, f"/webhooks/nothing{verb}"), 404, "webhook-not-found")


def test_a_server_without_a_file_says_how_to_name_one() -> None:
    with serve() as api:
        for response in (api.client.get("/webhooks"), api.client.post("/webhooks", json={"url": ALLOWED})):
            assert "DQ_WEBHOOKS_FILE" in api.problem(response, 409, "no-webhooks")["detail"]


def test_a_damaged_file_is_the_servers_fault_and_its_path_not_told(file: Path) -> None:
    file.write_text("{")
    file.chmod(0o600)
    with serving(file) as api:
        for response in (api.client.get("/webhooks"), api.client.post("/webhooks", json={"url": ALLOWED})):
            assert str(file) not in api.problem(response, 500, "internal-error")["detail"]
    assert file.read_text() == "{"


def test_reading_needs_a_key_even_where_reading_is_open_otherwise(file: Path) -> None:
    with serving(file, api_key="a-secret-key") as api:
        path = f"/webhooks/{add(api)['id']}"
        del api.client.headers["X-API-Key"]
        assert api.client.get("/stats").status_code == 200
        for address in ("/webhooks", path):
            api.problem(api.client.get(address), 401, "unauthorized")
