"""How keys are presented and judged: what is told of them, how long they count, and how guessing is slowed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.api import ApiOptions
from distributed_queue.api.auth.failures import MAX_ADDRESSES, TRUST_SECONDS, WINDOW_SECONDS, Failures
from distributed_queue.api.auth.guard import ANONYMOUS, Asked, Caller, Guard
from distributed_queue.api.auth.roles import PUBLIC, Role
from distributed_queue.api.problems import ApiProblem
from distributed_queue.core.clock import ManualClock
from distributed_queue.core.files import LOOK_SECONDS
from distributed_queue.errors import ConfigurationError
from distributed_queue.tests.security.keyring import DAY, add_key, every_kind, now, revoke_key
from distributed_queue.tests.steps import LIMIT, eventually
from distributed_queue.tests.surfaces.api_server import API, KEY, Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(float(round(now())))


def make_guard(clock: ManualClock, **options: Any) -> Guard:
    return Guard(ApiOptions(**options), clock.now, clock.now)


def ask(guard: Guard, key: str | None, address: str = HERE, **headers: str) -> Caller | ApiProblem:
    """Ask to submit a task."""
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    if key is not None:
        given[b"x-api-key"] = key.encode()
    asked = Asked("POST", Role.SUBMIT, given, address)
    caller = guard.identify(asked)
    return guard.forbid(caller, asked) or caller if isinstance(caller, Caller) else caller


def code(answer: Caller | ApiProblem) -> str:
    return answer.code if isinstance(answer, ApiProblem) else "admitted"


def wrong(guard: Guard, times: int, address: str = HERE) -> list[str]:
    return [code(ask(guard, f"wrong-{n}", address)) for n in range(times)]


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_key_may_come_as_a_bearer_token(path: Path, clock: ManualClock, scheme: str) -> None:
    key = add_key(path, "ci", Role.SUBMIT)
    guard = make_guard(clock, api_key=KEY, keys_file=path)
    assert ask(guard, None, authorization=scheme + key) == Caller("ci", (Role.SUBMIT,), key.split("_")[1])
    assert ask(guard, None, authorization=scheme + KEY) == Caller("API_KEY", (Role.ADMIN,))


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", KEY, f"Basic {KEY}", f"Token {KEY}", f"Bearer{KEY}"])
def test_other_authorizations_are_none(clock: ManualClock, value: str) -> None:
    assert code(ask(make_guard(clock, api_key=KEY), None, authorization=value)) == "unauthorized"


@pytest.mark.parametrize("name", ["api_key", "X-API-Key", "key", "token", "access_token", "authorization"])
def test_a_key_in_the_address_does_not_count(name: str) -> None:
    with serve(api_key=KEY) as api:
        del api.client.headers["X-API-Key"]
        response = api.client.post("/tasks", params={name: KEY}, json={"payload": 1})
        api.problem(response, 401, "unauthorized")


@pytest.mark.parametrize("kind", ["expired", "revoked", "unknown", "mistyped", "malformed"])
def test_a_refusal_does_not_tell_whether_there_is_such_a_key(path: Path, clock: ManualClock, kind: str) -> None:
    keys = every_kind(path)
    guard = make_guard(clock, keys_file=path)
    answer, nonsense = ask(guard, keys[kind]), ask(guard, "nonsense")
    assert isinstance(answer, ApiProblem)
    assert isinstance(nonsense, ApiProblem)
    assert answer.response("x").body == nonsense.response("x").body
    assert dict(answer.headers or {}) == dict(nonsense.headers or {})


def test_a_key_that_may_not_is_told_which_role_it_lacks(path: Path, clock: ManualClock) -> None:
    keys = every_kind(path)
    answer = ask(make_guard(clock, keys_file=path), keys["read"])
    assert isinstance(answer, ApiProblem)
    assert answer.status_code == 403
    assert answer.extensions == {"required_role": "submit"}
    assert "role submit" in answer.detail


def test_a_key_ends_at_the_second_that_it_expires(path: Path, clock: ManualClock) -> None:
    key = add_key(path, "ci", Role.SUBMIT, expires_at=clock.now() + 100)
    guard = make_guard(clock, keys_file=path)
    clock.advance(99.999)
    assert code(ask(guard, key)) == "admitted"
    clock.advance(0.001)
    assert code(ask(guard, key)) == "unauthorized"


def test_a_revoked_key_ends_within_a_second(path: Path, clock: ManualClock) -> None:
    key = add_key(path, "ci", Role.SUBMIT)
    guard = make_guard(clock, keys_file=path)
    assert code(ask(guard, key)) == "admitted"
    revoke_key(path, "ci")
    clock.advance(LOOK_SECONDS)
    assert code(ask(guard, key)) == "unauthorized"


def test_whose_key_it_was_is_logged_when_it_is_no_longer_valid(
    path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    key = add_key(path, "ci", Role.SUBMIT, expires_at=clock.now() - DAY)
    ask(make_guard(clock, keys_file=path), key)
    assert "API key ci" in caplog.text
    assert "expired" in caplog.text
    assert key not in caplog.text


@pytest.mark.parametrize("kind", ["submit", "expired", "unknown", "mistyped", "malformed"])
def test_every_key_is_compared_as_often(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The one thing here that no answer shows: a miss must not be quicker than a hit."""
    keys = every_kind(path)
    guard = make_guard(clock, api_key=KEY, keys_file=path)
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    ask(guard, keys[kind])
    assert compared == [(32, 32), (32, 32)]


def test_reading_that_needs_a_key_needs_one_to_be_there() -> None:
    with pytest.raises(ConfigurationError, match="there is none"):
        Guard(ApiOptions(require_key_for_reads=True))


def test_with_a_key_file_only_nobody_writes_without_a_key_of_it(path: Path, clock: ManualClock) -> None:
    every_kind(path)
    guard = make_guard(clock, keys_file=path)
    assert code(ask(guard, None)) == "unauthorized"
    assert guard.identify(Asked("GET", Role.READ, {}, HERE)) == ANONYMOUS


def test_who_guesses_has_to_wait(clock: ManualClock) -> None:
    guard = make_guard(clock, api_key=KEY)
    assert wrong(guard, 10) == ["unauthorized"] * 10
    answer = ask(guard, "wrong")
    assert isinstance(answer, ApiProblem)
    assert answer.status_code == 429
    assert answer.headers == {"Retry-After": str(int(WINDOW_SECONDS))}
    assert code(ask(guard, KEY)) == "too-many-failures", "the eleventh guess was looked at"
    assert code(ask(guard, KEY, ELSEWHERE)) == "admitted"
    clock.advance(WINDOW_SECONDS)
    assert code(ask(guard, KEY)) == "admitted"


def test_a_request_without_a_key_is_no_guess(clock: ManualClock) -> None:
    guard = make_guard(clock, api_key=KEY)
    assert [code(ask(guard, None)) for _ in range(100)] == ["unauthorized"] * 100
    assert code(ask(guard, KEY)) == "admitted"


def test_guesses_lock_nobody_out_who_has_a_scoped_key(path: Path, clock: ManualClock) -> None:
    keys = every_kind(path)
    guard = make_guard(clock, api_key=KEY, keys_file=path)
    wrong(guard, 100)
    assert code(ask(guard, keys["submit"])) == "admitted"
    assert code(ask(guard, keys["unknown"], ELSEWHERE)) == "unauthorized"
    assert [code(ask(guard, keys["unknown"], ELSEWHERE)) for _ in range(10)][-1] == "too-many-failures"


def test_an_address_that_sent_the_right_key_is_not_held_up_by_others_behind_the_same_proxy(clock: ManualClock) -> None:
    guard = make_guard(clock, api_key=KEY)
    assert code(ask(guard, KEY)) == "admitted"
    assert set(wrong(guard, 100)) == {"unauthorized"}
    assert code(ask(guard, KEY)) == "admitted"
    clock.advance(TRUST_SECONDS)
    assert wrong(guard, 11)[-1] == "too-many-failures"


def test_who_has_many_addresses_of_one_network_has_no_more_guesses() -> None:
    failures = Failures(3)
    for number in range(3):
        failures.failed(f"2001:db8:0:1::{number:x}", 0.0)
    assert failures.wait_seconds("2001:db8:0:1:ffff::1", 1.0) == WINDOW_SECONDS - 1.0
    assert failures.wait_seconds("2001:db8:0:2::1", 1.0) == 0.0
    assert len(failures) == 1


def test_guesses_from_everywhere_take_bounded_memory() -> None:
    failures = Failures(1)
    for number in range(MAX_ADDRESSES + 100):
        failures.failed(f"host-{number}", 0.0)
    assert len(failures) == MAX_ADDRESSES
    assert failures.wait_seconds("host-0", 1.0) == 0.0, "the oldest is the one that is forgotten"
    assert failures.wait_seconds(f"host-{MAX_ADDRESSES + 99}", 1.0) > 0.0


@pytest.mark.parametrize("address", ["", "unix", "fe80::1%eth0", ":::", "::ffff:192.0.2.1"])
def test_any_address_will_do(address: str) -> None:
    failures = Failures(1)
    failures.failed(address, 0.0)
    assert failures.wait_seconds(address, 1.0) > 0.0


OWN_NAMES = ["", "localhost", "LOCALHOST:8000", "a.localhost", "127.0.0.1", "127.0.0.1:80", "[::1]:80", "192.0.2.1"]
OTHER_NAMES = ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "localhost@x"]


@pytest.mark.parametrize("host", OTHER_NAMES)
@pytest.mark.parametrize("role", [PUBLIC, Role.READ, Role.ADMIN])
def test_a_name_that_a_page_had_lead_here_is_not_answered_to(clock: ManualClock, host: str, role: Role | None) -> None:
    """With DNS rebinding, the page is of the same origin to its browser; only the name gives it away."""
    asked = Asked("GET", role, {b"host": host.encode(), b"sec-fetch-site": b"same-origin"}, "127.0.0.1")
    problem = make_guard(clock, own_names_only=True).forbid(ANONYMOUS, asked)
    assert problem is not None
    assert problem.code == "cross-site"
    assert make_guard(clock).forbid(ANONYMOUS, asked) is None


@pytest.mark.parametrize("host", OWN_NAMES)
def test_names_that_only_this_machine_has_are(clock: ManualClock, host: str) -> None:
    asked = Asked("POST", Role.ADMIN, {b"host": host.encode()}, "127.0.0.1")
    assert make_guard(clock, own_names_only=True).forbid(ANONYMOUS, asked) is None


@pytest.fixture
def api(path: Path) -> Iterator[Api]:
    add_key(path, "first", Role.ADMIN)
    with serve(keys_file=path, require_key_for_reads=True) as served:
        yield served


def test_keys_come_and_go_while_the_server_runs(api: Api, path: Path) -> None:
    key = add_key(path, "ci", Role.SUBMIT)

    def submitted() -> int:
        return api.client.post("/tasks", json={"payload": 1}, headers={"X-API-Key": key}).status_code

    eventually(lambda: submitted() == 201)
    revoke_key(path, "ci")
    eventually(lambda: submitted() == 401)


def test_a_stream_ends_when_its_key_is_revoked(api: Api, path: Path) -> None:
    key = add_key(path, "watcher", Role.READ)
    headers = {"Authorization": f"Bearer {key}"}
    eventually(lambda: api.client.get("/stats", headers=headers).status_code == 200)
    opened, ended = threading.Event(), threading.Event()

    def follow() -> None:
        with api.client.stream("GET", f"{api.url}{API}/events", headers=headers) as stream:
            opened.set()
            for _ in stream.iter_bytes():
                pass
            ended.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert opened.wait(LIMIT)
    revoke_key(path, "watcher")
    assert ended.wait(LIMIT)
    thread.join(LIMIT)
