"""``dq webhooks``, and ``dq serve`` that sends them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.tests.receiver import Receiver, Reply
from distributed_queue.tests.surfaces.programs import call
from distributed_queue.webhooks import read_endpoints

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.tests.surfaces.programs import Dq

LOCAL = {"DQ_WEBHOOKS_ALLOW": "127.0.0.0/8", "DQ_WEBHOOKS_HTTP": "true"}


@pytest.fixture
def dq(capsys: pytest.CaptureFixture[str]) -> Dq:
    """The program, without a storage."""
    return partial(call, capsys)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "webhooks.json"
    for name, value in {**LOCAL, "DQ_WEBHOOKS_FILE": str(path)}.items():
        monkeypatch.setenv(name, value)
    return path


def add(dq: Dq, url: str, *more: str) -> Any:
    answer = dq("webhooks", "add", url, *more, "--json")
    assert answer.code == 0, answer.err
    return answer.json


def test_a_secret_is_shown_once_and_the_file_is_closed_to_others(dq: Dq, file: Path) -> None:
    made = add(dq, "https://127.0.0.1/hooks", "--event", "task.dead", "--queue", "mail*")
    assert made["secret"].startswith("whsec_")
    assert file.stat().st_mode & 0o077 == 0
    listed = dq("webhooks", "list", "--json")
    assert made["secret"] not in listed.out
    [item] = listed.json["items"]
    assert (item["id"], item["events"], item["queues"]) == (made["id"], ["task.dead"], ["mail*"])
    assert made["secret"] not in dq("webhooks", "list").out


def test_a_webhook_is_disabled_enabled_and_removed(dq: Dq, file: Path) -> None:
    identifier = add(dq, "https://127.0.0.1/hooks")["id"]
    assert dq("webhooks", "disable", identifier).code == 0
    assert "disabled: by dq webhooks disable" in dq("webhooks", "list").out
    assert dq("webhooks", "enable", identifier).code == 0
    assert "enabled" in dq("webhooks", "list").out
    assert dq("webhooks", "remove", identifier).code == 0
    assert read_endpoints(file) == []
    for verb in ("disable", "enable", "remove", "rotate", "test"):
        assert dq("webhooks", verb, identifier).code == ExitCode.NOT_FOUND


def test_a_rotated_secret_stays_beside_the_new_one_for_a_while(dq: Dq, file: Path) -> None:
    made = add(dq, "https://127.0.0.1/hooks")
    renewed = dq("webhooks", "rotate", made["id"], "--keep", "1h", "--json").json
    [endpoint] = read_endpoints(file)
    assert [each.text for each in endpoint.secrets] == [renewed["secret"], made["secret"]]
    assert endpoint.secrets[0].until is None
    assert endpoint.secrets[1].until is not None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ftp://example.com/"], "begins with https://"),
        (["https://user:pw@example.com/"], "user or a password"),
        (["https://127.0.0.1/", "--event", "task.done"], "not an event"),
    ],
)
def test_what_makes_no_sense_is_refused(dq: Dq, file: Path, arguments: list[str], says: str) -> None:
    answer = dq("webhooks", "add", *arguments)
    assert answer.code == ExitCode.USAGE
    assert says in answer.err
    assert not file.exists()


def test_without_a_file_it_says_how_to_name_one(dq: Dq) -> None:
    answer = dq("webhooks", "list")
    assert answer.code == ExitCode.USAGE
    assert "DQ_WEBHOOKS_FILE" in answer.err


@pytest.mark.parametrize("content", ["", "{", '{"version": 2, "endpoints": []}', '{"version": 1, "endpoints": [{}]}'])
def test_a_damaged_file_is_refused_in_words(dq: Dq, file: Path, content: str) -> None:
    file.write_text(content)
    file.chmod(0o600)
    answer = dq("webhooks", "list")
    assert answer.code == ExitCode.USAGE
    assert str(file) in answer.err


def test_a_trial_message_says_what_came_back(dq: Dq, file: Path) -> None:
    replies = iter([Reply(), Reply(500, body=b"no room")])
    with Receiver(lambda _: next(replies)) as receiver:
        identifier = add(dq, receiver.url)["id"]
        taken, refused = (dq("webhooks", "test", identifier) for _ in range(2))
    assert (taken.code, refused.code) == (0, ExitCode.FAILURE)
    assert "answered 204" in taken.out
    assert "answered 500: no room" in refused.err
    assert receiver.received[0].document["type"] == "webhook.test"
