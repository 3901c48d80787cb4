"""Key files that something else wrote: keys, or a refusal that shows nothing of what is in the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.api.auth.keyfile import KeyFile, changing_keys, read_keys
from distributed_queue.api.auth.keys import key_id, make_key
from distributed_queue.api.auth.roles import Role
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SECRET = "a" * 64
RIGHT = {"id": "0123456789", "name": "ci", "roles": ["read"], "sha256": SECRET, "created_at": 1.0}
leaves: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just([]) | st.just({})
)
records = st.dictionaries(st.sampled_from([*RIGHT, "expires_at", "colour"]), leaves, max_size=2).map(
    lambda changes: {**RIGHT, **changes}
)
documents = st.fixed_dictionaries(
    {"version": st.sampled_from([1, 1, 1, 2, "1", None]), "keys": st.lists(records, max_size=3)}
)
contents = st.one_of(
    st.binary(max_size=100),
    st.just(b"[" * 100_000),
    documents.map(lambda value: json.dumps(value).encode()),
    st.builds(lambda value, size: json.dumps(value).encode()[:size], documents, st.integers(0, 200)),
    leaves.map(lambda value: json.dumps(value).encode()),
)


@given(content=contents)
def test_a_file_has_keys_that_can_be_used_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile-keys.json"
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        keys = read_keys(path)
    except ConfigurationError as error:
        shown, keys = str(error), []
    else:
        shown = str(path)
        assert KeyFile(path).find("nobody") is None
    assert str(path) in shown
    assert SECRET not in shown
    assert all(key.state(2.0) in {"active", "expired", "revoked"} for key in keys)
    assert all(isinstance(role, Role) for key in keys for role in key.roles)


@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}", fullmatch=True),
    roles=st.sets(st.sampled_from(Role), min_size=1).map(tuple),
    now=st.floats(0, 4e9),
    end=st.none() | st.floats(0, 4e9),
)
def test_a_key_is_read_back_as_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, name: str, roles: Any, now: float, end: float | None
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "written-keys.json"
    path.unlink(missing_ok=True)
    made = make_key(name, roles, now, end)
    with changing_keys(path) as keys:
        keys.append(made.record)
    assert read_keys(path) == [made.record]


@given(key=st.binary(max_size=80) | st.from_regex(rb"dq_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}", fullmatch=True))
def test_what_no_key_can_be_is_known_without_a_look(key: bytes) -> None:
    assert key_id(key) is None


@given(cut=st.integers(0, 68))
def test_a_key_names_itself_and_one_with_a_mistake_does_not(cut: int) -> None:
    made = make_key("ci", (Role.READ,), 1.0, None)
    key = made.text.encode()
    assert key_id(key) == made.record.id
    place = cut % len(key)
    wrong = key[:place] + bytes([key[place] ^ 1]) + key[place + 1 :]
    assert key_id(wrong) is None
