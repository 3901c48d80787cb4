"""``dq keys``: keys are made, shown once, listed and revoked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from distributed_queue.api.auth.keyfile import read_keys
from distributed_queue.api.auth.keys import digest, key_id
from distributed_queue.api.auth.roles import Role
from distributed_queue.cli.exits import ExitCode
from distributed_queue.tests.security.keyring import DAY, now
from distributed_queue.tests.surfaces.programs import Answer, call

if TYPE_CHECKING:
    from pathlib import Path


class Keys:
    """``dq keys`` on a file."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys

    def __call__(self, command: str, *arguments: str) -> Answer:
        return call(self._capsys, "keys", command, *arguments, "--api-keys-file", str(self.path))


@pytest.fixture
def dq_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Keys:
    return Keys(tmp_path / "keys.json", capsys)


def test_a_new_key_is_all_that_is_printed_to_stdout(dq_keys: Keys) -> None:
    answer = dq_keys("create", "--name", "ci", "--role", "submit")
    assert answer.code == ExitCode.OK
    key = answer.out.strip()
    (record,) = read_keys(dq_keys.path)
    assert record.id == key_id(key.encode())
    assert record.sha256 == digest(key.encode()).hex()
    assert (record.name, record.roles) == ("ci", (Role.SUBMIT,))
    assert "only time" in answer.err


def test_a_key_ends_after_90_days_unless_it_is_told_otherwise(dq_keys: Keys) -> None:
    start = now()
    for name, expires in (("usual", ()), ("short", ("--expires", "1h30m")), ("for-ever", ("--expires", "never"))):
        assert dq_keys("create", "--name", name, "--role", "read", *expires).code == ExitCode.OK
    ends = {key.name: key.expires_at for key in read_keys(dq_keys.path)}
    assert ends["usual"] == pytest.approx(start + 90 * DAY, abs=60)
    assert ends["short"] == pytest.approx(start + 5400, abs=60)
    assert ends["for-ever"] is None


def test_a_key_may_have_several_roles(dq_keys: Keys) -> None:
    dq_keys("create", "--name", "x", "--role", "work", "--role", "submit", "--role", "work", "--json")
    assert read_keys(dq_keys.path)[0].roles == (Role.WORK, Role.SUBMIT)


def test_the_list_shows_everything_but_the_key(dq_keys: Keys) -> None:
    key = dq_keys("create", "--name", "ci", "--role", "submit", "--json").json["key"]
    listed = dq_keys("list")
    assert "ci" in listed.out
    assert "active" in listed.out
    as_json = dq_keys("list", "--json")
    (item,) = as_json.json["items"]
    assert (item["name"], item["roles"], item["state"]) == ("ci", ["submit"], "active")
    for answer in (listed, as_json):
        assert key not in answer.out
        assert digest(key.encode()).hex() not in answer.out


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_key_is_revoked_by_its_name_or_its_id(dq_keys: Keys, by: str) -> None:
    made, _ = (dq_keys("create", "--name", name, "--role", "submit", "--json").json for name in ("ci", "other"))
    assert dq_keys("revoke", made[by]).code == ExitCode.OK
    assert {key.name: key.state(now()) for key in read_keys(dq_keys.path)} == {"ci": "revoked", "other": "active"}


def test_a_name_is_free_again_once_its_key_is_revoked(dq_keys: Keys) -> None:
    assert dq_keys("create", "--name", "ci", "--role", "submit").code == ExitCode.OK
    assert dq_keys("create", "--name", "ci", "--role", "submit").code == ExitCode.CONFLICT
    dq_keys("revoke", "ci")
    assert dq_keys("create", "--name", "ci", "--role", "submit").code == ExitCode.OK
    assert json.loads(dq_keys("revoke", "ci", "--json").out) == {"revoked": [read_keys(dq_keys.path)[1].id]}


def test_a_key_that_is_not_there_cannot_be_revoked(dq_keys: Keys) -> None:
    dq_keys("create", "--name", "ci", "--role", "submit")
    assert dq_keys("revoke", "ci", "nobody").code == ExitCode.NOT_FOUND
    assert read_keys(dq_keys.path)[0].state(now()) == "active"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--name", "ci"),
        ("--role", "submit"),
        ("--name", "ci", "--role", "root"),
        ("--name", "", "--role", "read"),
        ("--name", "a b", "--role", "read"),
        ("--name", "a\n", "--role", "read"),
        ("--name", "-a", "--role", "read"),
        ("--name", "a" * 101, "--role", "read"),
        ("--name", "ci", "--role", "read", "--expires", "0"),
        ("--name", "ci", "--role", "read", "--expires", "-1d"),
        ("--name", "ci", "--role", "read", "--expires", "soon"),
        ("--name", "ci", "--role", "read", "--expires", "99999d"),
    ],
)
def test_wrong_usage_makes_no_key(dq_keys: Keys, arguments: tuple[str, ...]) -> None:
    assert dq_keys("create", *arguments).code == ExitCode.USAGE
    assert not dq_keys.path.exists()


def test_without_a_file_it_says_how_to_name_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DQ_API_KEYS_FILE", raising=False)
    answer = call(capsys, "keys", "list")
    assert answer.code == ExitCode.USAGE
    assert "DQ_API_KEYS_FILE" in answer.err


def test_the_file_may_be_named_in_the_environment(
    dq_keys: Keys, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DQ_API_KEYS_FILE", str(dq_keys.path))
    assert call(capsys, "keys", "create", "--name", "ci", "--role", "admin").code == ExitCode.OK
    assert read_keys(dq_keys.path)


@pytest.mark.parametrize("place", ["missing/keys.json", "", "."])
def test_a_place_that_cannot_be_written_to_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    where = f"{tmp_path}/{place}" if place else "/proc/keys.json"
    answer = call(capsys, "keys", "create", "--name", "ci", "--role", "read", "--api-keys-file", where)
    assert answer.code == ExitCode.USAGE
    assert not answer.out
