"""Secrets are planted wherever there is one, and looked for wherever something is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import redis

from distributed_queue.api.auth.roles import Role
from distributed_queue.api.options import ApiOptions
from distributed_queue.cli.main import main
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.errors import DistributedQueueError
from distributed_queue.settings import Settings, parse_setting
from distributed_queue.testing.servers import free_port
from distributed_queue.tests.security.keyring import add_key, every_kind
from distributed_queue.tests.surfaces.programs import LIMIT, Program, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed_queue.testing.servers import RedisServer

PASSWORD = "pass-mark-3f81"
API_KEY = "key-mark-77c2"
HEADER = "header-mark-a9d0"
PAYLOAD = "payload-mark-51be"
QUERY = "query-mark-0c64"
HARMLESS = "harmless-mark-e5a7"
"""What is shown on purpose: where this is not found, the search would not find a secret either."""
HEADERS = {"Authorization": f"Basic {HEADER}", "Cookie": f"session={HEADER}", "X-Forwarded-For": HEADER}


class Shown:
    """Everything that was shown, by where."""

    def __init__(self, secrets: list[str]) -> None:
        self.secrets = secrets
        self.texts: dict[str, str] = {}

    def add(self, where: str, text: str) -> None:
        self.texts[where] = self.texts.get(where, "") + text

    def check(self, *, harmless_in: str) -> None:
        """Fail where a secret is shown, or where the search finds nothing at all."""
        assert HARMLESS in self.texts[harmless_in], "the control is missing: the search proves nothing"
        found = [(where, secret) for where, text in self.texts.items() for secret in self.secrets if secret in text]
        assert not found


@pytest.fixture
def secured(redis_server: RedisServer) -> Iterator[str]:
    """The URL of a Redis, with a user and a password."""
    redis_server.flush()
    with redis.Redis(port=redis_server.port) as admin:
        admin.execute_command("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        yield f"redis://app:{PASSWORD}@127.0.0.1:{redis_server.port}/0"
        admin.execute_command("ACL", "DELUSER", "app")


def talk(client: httpx.Client, keys: dict[str, str], shown: Shown) -> None:
    """Do everything that shows something: what works, what fails, and what is refused."""
    task = {"payload": {"type": "simple", "data": PAYLOAD}, "task_id": HARMLESS}
    broken = {"payload": {"type": "math", "operation": "divide", "a": 1, "b": 0, "note": PAYLOAD}, "max_retries": 0}
    unknown = {"payload": {"type": "no-such-type", "data": PAYLOAD}, "max_retries": 0, "task_id": "unknown"}
    good = {"X-API-Key": API_KEY}
    calls = [
        ("tasks", client.post("/tasks", json=task, headers=good)),
        ("tasks", client.post("/tasks", json=broken, headers=good)),
        ("tasks", client.post("/tasks", json=unknown, headers=good)),
        ("tasks", client.get(f"/tasks/{HARMLESS}", params={"wait": 20}, headers=good)),
        ("tasks", client.get("/tasks/unknown", params={"wait": 20}, headers=good)),
        ("error", client.post("/tasks", content=f'{{"payload": "{PAYLOAD}', headers=good)),
        (
            "error",
            client.post("/tasks", json={"payload": 1, "priority": PAYLOAD}, headers={**good, "Idempotency-Key": "a"}),
        ),
        ("error", client.post("/tasks", json={**task, "payload": 2}, headers=good)),
        ("error", client.post("/tasks", json={**task, "queue": PAYLOAD + "/"}, headers=good)),
        ("error", client.get("/tasks", params={"cursor": QUERY, "limit": QUERY}, headers=good)),
        ("error", client.get("/nothing", params={"key": QUERY}, headers=good)),
        ("error", client.get("/events", headers={**good, "Last-Event-ID": HEADER})),
        *(("error", client.post("/tasks", json={"payload": 1}, headers={"X-API-Key": key})) for key in keys.values()),
        *(("error", client.get("/stats", headers={"Authorization": f"Bearer {key}"})) for key in keys.values()),
        *((path, client.get(path, headers=good)) for path in ("/ready", "/metrics", "/metrics/json", "/stats")),
        *((path, client.get(path, headers=good)) for path in ("/workers", "/queues")),
    ]
    for where, response in calls:
        # A task's own document has its payload, for those who may read it.
        shown.add(f"headers of {where}", str(response.headers))
        if where != "tasks":
            shown.add(where, response.text)


def test_a_server_with_a_secured_storage_shows_none(tmp_path: Path, secured: str, redis_server: RedisServer) -> None:
    keys = every_kind(tmp_path / "keys.json")
    shown = Shown([PASSWORD, API_KEY, HEADER, PAYLOAD, QUERY, *keys.values()])
    settings = {
        "DQ_API_KEYS_FILE": "keys.json",
        "API_KEY": API_KEY,
        "REDIS_URL": secured,
        "DQ_LOG_LEVEL": "debug",
        "DQ_REQUIRE_KEY_FOR_READS": "true",
    }
    with Program(tmp_path, "serve", "--port", "0", **settings) as program:
        url = program.says("  API ").split()[1].removesuffix("/docs") + "/api/v1"
        with httpx.Client(base_url=url, timeout=LIMIT, trust_env=False, headers=HEADERS) as client:
            talk(client, keys, shown)
            with redis.Redis(port=redis_server.port) as admin:
                admin.execute_command("ACL", "SETUSER", "app", "off")
                admin.execute_command("CLIENT", "KILL", "USER", "app")
            for path in ("/ready", "/stats", "/metrics", "/metrics/json", "/tasks"):
                shown.add(f"{path} without storage", client.get(path, headers={"X-API-Key": API_KEY}).text)
        program.stop()
        shown.add("log", program.output)
    shown.check(harmless_in="log")


@pytest.mark.parametrize("arguments", [["doctor"], ["queues", "list"]])
def test_the_programs_show_none_when_the_storage_cannot_be_had(tmp_path: Path, arguments: list[str]) -> None:
    url = f"redis://{HARMLESS}:{PASSWORD}@127.0.0.1:{free_port()}/0"
    answer = run(tmp_path, *arguments, API_KEY=API_KEY, REDIS_URL=url)
    shown = Shown([PASSWORD, API_KEY])
    shown.add("output", answer.out + answer.err)
    shown.check(harmless_in="output")


def test_a_server_that_waits_for_its_storage_shows_none(tmp_path: Path) -> None:
    url = f"redis://{HARMLESS}:{PASSWORD}@127.0.0.1:{free_port()}/0"
    shown = Shown([PASSWORD, API_KEY])
    with Program(tmp_path, "serve", "--port", "0", API_KEY=API_KEY, REDIS_URL=url) as program:
        program.says("waiting for the storage")
        program.stop()
        shown.add("log", program.output)
    shown.check(harmless_in="log")


@pytest.mark.parametrize("form", ["redis://:{}@127.0.0.1:{}/0", "rediss://u:{}@127.0.0.1:{}/0"])
def test_an_error_about_a_storage_shows_none(form: str) -> None:
    with pytest.raises(DistributedQueueError) as caught:
        HybridQueue.from_url(form.format(PASSWORD, free_port()))
    assert PASSWORD not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize("url", ["redis://:{}@", "nosuch://:{}@host", "redis://u:{}@host:port/0", "redis://u:{}@h/x"])
def test_a_url_that_cannot_be_understood_is_not_shown_with_its_password(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DistributedQueueError) as caught:
        HybridQueue.from_url(url.format(PASSWORD))
    main(["queues", "list", "--storage-url", url.format(PASSWORD)])
    printed = capsys.readouterr()
    assert "Error" in printed.err
    assert PASSWORD not in f"{caught.value} {caught.value!r} {printed.out} {printed.err}"


def test_settings_and_options_do_not_show_theirs() -> None:
    settings = Settings(api_key=API_KEY, storage_url=f"redis://:{PASSWORD}@host", host=HARMLESS)
    shown = Shown([API_KEY, PASSWORD])
    shown.add("settings", repr(settings))
    shown.add("options", repr(ApiOptions(api_key=API_KEY)))
    shown.check(harmless_in="settings")


def test_a_secret_setting_that_cannot_be_used_is_not_repeated() -> None:
    assert parse_setting("api_key", f" {API_KEY} ") == API_KEY
    with pytest.raises(DistributedQueueError) as caught:
        parse_setting("port", HARMLESS)
    assert HARMLESS in str(caught.value)


def test_a_damaged_key_file_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = add_key(path, "ci", Role.ADMIN)
    path.write_text(f'{{"version": 1, "keys": ["{key}"]}}')
    answer = run(tmp_path, "serve", "--port", "0", "--api-keys-file", str(path), "--debug")
    shown = Shown([key])
    shown.add("output", answer.err.replace("keys.json is damaged", HARMLESS))
    shown.check(harmless_in="output")
