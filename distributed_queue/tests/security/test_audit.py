"""Every change over REST is logged, with who made it, and without what must not be in a log."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.api.audit import MAX_IDS
from distributed_queue.api.auth.roles import ACCESS
from distributed_queue.cli.logs import JsonFormatter, TextFormatter
from distributed_queue.tests.security.keyring import every_kind
from distributed_queue.tests.steps import eventually
from distributed_queue.tests.surfaces.api_server import API, KEY, Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = "mark-in-a-payload"


class Collector(logging.Handler):
    """Keeps records."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


class Audit:
    """The audit log of a server."""

    def __init__(self, api: Api, keys: dict[str, str]) -> None:
        self.api = api
        self.keys = keys
        self.records: list[logging.LogRecord] = []

    def after(self, method: str, path: str, kind: str | None, body: Any = None) -> list[dict[str, Any]]:
        """The facts logged for one request, which is the next."""
        self.records.clear()
        headers = {"X-API-Key": self.keys[kind]} if kind else {}
        response = self.api.client.request(method, path, json=body, headers=headers)
        # The line comes after the answer; the next request's line, after this one's.
        self.api.client.delete("/queue/clear", headers={"X-API-Key": KEY, "X-Request-ID": "the-end"})
        eventually(lambda: any(facts["request_id"] == "the-end" for facts in self._facts()))
        found = [facts for facts in self._facts() if facts["request_id"] != "the-end"]
        assert all(facts["request_id"] == response.headers["x-request-id"] for facts in found)
        return found

    def _facts(self) -> list[dict[str, Any]]:
        return [record.audit for record in list(self.records)]  # type: ignore[attr-defined]  # given with extra


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audit]:
    path: Path = tmp_path_factory.mktemp("keys") / "keys.json"
    keys = every_kind(path)
    logger = logging.getLogger("distributed_queue.audit")
    before = logger.level
    with serve(api_key=KEY, keys_file=path, max_failed_keys=10**6) as api:
        del api.client.headers["X-API-Key"]
        found = Audit(api, keys)
        handler = Collector(found.records)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        yield found
        logger.removeHandler(handler)
        logger.setLevel(before)


def test_a_submission_is_logged_with_who_when_and_what(audit: Audit) -> None:
    (facts,) = audit.after("POST", "/tasks", "submit", {"payload": {"secret": MARK}, "queue": "mail", "task_id": "t1"})
    expected = {
        "actor": "submit",
        "roles": ["submit"],
        "key_id": audit.keys["submit"].split("_")[1],
        "client": "127.0.0.1",
        "method": "POST",
        "route": f"{API}/tasks",
        "outcome": "done",
        "status": 201,
        "queue": "mail",
        "task_ids": ["t1"],
        "count": 1,
    }
    assert facts == expected | {"request_id": facts["request_id"]}


def test_the_id_that_a_task_was_given_is_logged(audit: Audit) -> None:
    (facts,) = audit.after("POST", "/tasks", "submit", {"payload": 1})
    assert len(facts["task_ids"][0]) == 36


def test_a_batch_is_logged_with_some_of_its_ids_and_their_number(audit: Audit) -> None:
    tasks = [{"payload": MARK, "task_id": f"t{n}", "queue": f"q{n % 2}"} for n in range(MAX_IDS + 5)]
    (facts,) = audit.after("POST", "/tasks/batch", "submit", {"tasks": tasks})
    assert facts["task_ids"] == [f"t{n}" for n in range(MAX_IDS)]
    assert facts["count"] == MAX_IDS + 5
    assert facts["queues"] == ["q0", "q1"]


@pytest.mark.parametrize(
    ("method", "path", "body", "facts"),
    [
        ("POST", "/tasks/nothing/cancel", None, {"task_id": "nothing", "outcome": "failed", "status": 404}),
        ("POST", "/dead-letters/requeue", {"all": True, "queue": "q"}, {"task_ids": "all", "queue": "q"}),
        ("POST", "/dead-letters/requeue", {"ids": ["a", "b"]}, {"task_ids": ["a", "b"], "count": 2}),
        ("DELETE", "/dead-letters?all=true", None, {"task_ids": "all"}),
        ("DELETE", "/queue/clear", None, {"queue": "all"}),
        ("PATCH", "/queues/limited", {"max_size": 5}, {"name": "limited", "settings": {"max_size": 5}}),
        ("POST", "/queues/limited/pause", None, {"name": "limited", "outcome": "done"}),
        ("POST", "/workers", {"name": "w", "max_workers": 3}, {"worker_name": "w", "max_workers": 3}),
        ("POST", "/workers/w/scale", {"max_workers": 3}, {"worker_name": "w", "max_workers": 3}),
        ("POST", "/workers/stop?everywhere=true", None, {"everywhere": True}),
        ("DELETE", "/workers/w", None, {"worker_name": "w", "outcome": "failed"}),
        ("POST", "/webhooks", {"url": "https://a.example/", "events": ["task.dead"]}, {"events": ["task.dead"]}),
        ("DELETE", "/webhooks/w", None, {"webhook_id": "w", "outcome": "failed"}),
        ("POST", "/tasks", {"payload": 1, "nonsense": 1}, {"outcome": "failed", "status": 422}),
    ],
)
def test_what_was_to_be_changed_is_logged(
    audit: Audit, method: str, path: str, body: Any, facts: dict[str, Any]
) -> None:
    if path.startswith("/queues/limited"):
        audit.api.queue.configure("limited", max_size=1)
    (found,) = audit.after(method, path, "admin", body)
    assert {name: found.get(name) for name in facts} == facts
    assert found["actor"] == "admin"


@pytest.mark.parametrize(("method", "template"), sorted(row for row in ACCESS if row[0] != "GET"))
def test_no_change_goes_unlogged(audit: Audit, method: str, template: str) -> None:
    path = template.removeprefix(API).replace("{", "").replace("}", "")
    (facts,) = audit.after(method, path, "admin", {})
    assert (facts["method"], facts["route"]) == (method, template)


def test_an_attempt_with_a_key_that_may_not_is_logged(audit: Audit) -> None:
    (facts,) = audit.after("DELETE", "/queue/clear", "submit")
    assert (facts["actor"], facts["outcome"], facts["status"]) == ("submit", "refused", 403)


@pytest.mark.parametrize("kind", [None, "unknown", "expired"])
def test_who_is_not_known_is_not_logged_as_anyone(audit: Audit, kind: str | None) -> None:
    """They change nothing, and could fill the disk; wrong keys are told of elsewhere, and slowed down."""
    assert audit.after("POST", "/tasks", kind, {"payload": 1}) == []


def test_reading_is_not_logged(audit: Audit) -> None:
    assert audit.after("GET", "/stats", "admin") == []


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_neither_keys_nor_payloads_are_in_the_log(audit: Audit, formatter: logging.Formatter) -> None:
    audit.after("POST", "/tasks", "submit", {"payload": {"data": MARK}, "task_id": "named"})
    lines = "".join(formatter.format(record) for record in audit.records)
    assert "named" in lines, "the search would have found what is there"
    assert not [secret for secret in (MARK, KEY, *audit.keys.values()) if secret in lines]


def test_a_name_cannot_forge_a_line(audit: Audit) -> None:
    audit.after("POST", "/tasks/x%0Aactor=admin%20outcome=done%1b[31m/cancel", "submit")
    record = audit.records[0]
    text = TextFormatter().format(record)
    assert "\n" not in text
    assert "\x1b" not in text
    assert r'task_id="x\nactor=admin outcome=done\u001b[31m"' in text
    assert json.loads(JsonFormatter().format(record))["audit"]["task_id"] == "x\nactor=admin outcome=done\x1b[31m"


def test_without_keys_everyone_is_anonymous(caplog: pytest.LogCaptureFixture) -> None:
    with serve() as api, caplog.at_level(logging.INFO, "distributed_queue.audit"):
        api.submit("x")
        eventually(lambda: caplog.records)
    assert "actor=anonymous" in caplog.text
