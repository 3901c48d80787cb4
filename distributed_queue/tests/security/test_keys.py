"""API keys: what they look like, what is kept of them, and the file that keeps it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.api.auth.keyfile import KeyFile, changing_keys, read_keys
from distributed_queue.api.auth.keys import key_id, make_key
from distributed_queue.api.auth.roles import Role, grants
from distributed_queue.core.clock import ManualClock
from distributed_queue.core.files import LOOK_SECONDS
from distributed_queue.errors import ConfigurationError
from distributed_queue.tests.security.keyring import add_key, revoke_key

if TYPE_CHECKING:
    from pathlib import Path

KEY = make_key("ci", (Role.SUBMIT,), 1000.0, 2000.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_has_an_id_a_secret_of_32_bytes_and_a_checksum() -> None:
    prefix, identifier, secret = KEY.text.split("_")
    assert prefix == "dq"
    assert identifier == KEY.record.id == key_id(KEY.text.encode())
    assert len(secret) == 43 + 6


def test_keys_are_all_different() -> None:
    assert len({make_key("x", (Role.READ,), 0.0, None).text for _ in range(1000)}) == 1000


@given(st.integers(0, len(KEY.text) - 1), st.sampled_from("0aZ_-é "))
def test_a_mistake_in_a_key_is_noticed(place: int, other: str) -> None:
    wrong = KEY.text[:place] + other + KEY.text[place + 1 :]
    if wrong != KEY.text:
        assert key_id(wrong.encode()) is None


@given(st.binary(max_size=200))
def test_anything_may_come_in_place_of_a_key(garbage: bytes) -> None:
    assert key_id(garbage) is None
    assert key_id(KEY.text.encode() + garbage) == (None if garbage else KEY.record.id)


def test_only_a_digest_of_a_key_is_kept(path: Path) -> None:
    key = add_key(path, "ci", Role.SUBMIT)
    kept = path.read_text()
    assert key not in kept
    assert key.split("_")[2][:10] not in kept
    assert json.loads(kept)["keys"][0]["roles"] == ["submit"]


def test_nobody_else_may_read_the_file(path: Path) -> None:
    add_key(path, "ci", Role.SUBMIT)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    add_key(path, "another", Role.SUBMIT)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_to_is_refused(path: Path, mode: int) -> None:
    add_key(path, "ci", Role.SUBMIT)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod go-w"):
        read_keys(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version": 1}',
        '{"version": 2, "keys": []}',
        '{"version": 1, "keys": [{"id": "x"}]}',
        '{"version": 1, "keys": [], "more": 1}',
        '{"version": 1, "keys": [{"id":"a","name":"a","roles":["root"],"sha256":"00","created_at":1}]}',
        '{"version": 1, "keys": [{"id":"a","name":"a","roles":["read"],"sha256":"zz","created_at":1}]}',
        '{"version": 1, "keys": [{"id":"a","name":"a","roles":["read"],"sha256":"00","created_at":1}]}',
        '{"version": 1, "keys": [{"id":"a","name":"a","roles":[],"sha256":"' + "00" * 32 + '","created_at":1}]}',
        "[" * 100_000,
        "\xff",
    ],
    ids=range(13),
)
def test_a_damaged_file_is_refused_in_words_that_show_nothing_of_it(path: Path, content: str) -> None:
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=r"key file .*keys\.json (is damaged|has version)"):
        KeyFile(path)


def test_a_missing_file_is_refused_with_what_makes_one(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="dq keys create"):
        KeyFile(path)


def test_keys_are_read_again_when_the_file_changed(path: Path) -> None:
    clock = ManualClock()
    add_key(path, "first", Role.READ)
    file = KeyFile(path, clock.now)
    second = key_id(add_key(path, "second", Role.READ).encode()) or ""
    assert file.find(second) is None, "looked at more often than it says"
    clock.advance(LOOK_SECONDS)
    assert file.find(second) is not None
    revoke_key(path, "second")
    clock.advance(LOOK_SECONDS)
    record = file.find(second)
    assert record is not None
    assert record.state(0.0) == "revoked"


def test_a_file_that_is_damaged_while_the_server_runs_leaves_the_keys(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    identifier = key_id(add_key(path, "first", Role.READ).encode()) or ""
    file = KeyFile(path, clock.now)
    path.write_text("{")
    clock.advance(LOOK_SECONDS)
    assert file.find(identifier) is not None
    assert "is damaged" in caplog.text


def test_a_file_that_is_gone_leaves_no_key(path: Path) -> None:
    clock = ManualClock()
    identifier = key_id(add_key(path, "first", Role.READ).encode()) or ""
    file = KeyFile(path, clock.now)
    path.unlink()
    clock.advance(LOOK_SECONDS)
    assert file.find(identifier) is None


def test_two_that_change_the_file_at_once_lose_nothing(path: Path) -> None:
    threads = [threading.Thread(target=add_key, args=(path, f"key-{n}", Role.READ)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key.name for key in read_keys(path)) == sorted(f"key-{n}" for n in range(10))
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"], "something was left behind"


def test_a_change_that_fails_leaves_the_file(path: Path) -> None:
    add_key(path, "first", Role.READ)
    before = path.read_bytes()
    with pytest.raises(IndexError), changing_keys(path) as keys:
        del keys[:], keys[0]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("held", "needed", "granted"),
    [
        ((), Role.READ, False),
        ((Role.READ,), Role.READ, True),
        ((Role.READ,), Role.SUBMIT, False),
        ((Role.SUBMIT,), Role.READ, True),
        ((Role.SUBMIT,), Role.WORK, False),
        ((Role.WORK,), Role.SUBMIT, False),
        ((Role.SUBMIT, Role.WORK), Role.WORK, True),
        ((Role.SUBMIT, Role.WORK), Role.ADMIN, False),
        ((Role.ADMIN,), Role.WORK, True),
    ],
)
def test_every_role_may_read_and_admin_may_everything(held: tuple[Role, ...], needed: Role, granted: bool) -> None:
    assert grants(held, needed) is granted
