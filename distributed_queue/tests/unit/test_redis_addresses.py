"""Storage URLs of Redis with several hosts."""

from __future__ import annotations

import pytest
from redis.connection import Connection, SSLConnection

from distributed_queue.core.registry import without_password
from distributed_queue.errors import InvalidStorageURL
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.storage.redis.addresses import ANSWER_SECONDS, Address, read_url

SECRET = "open-sesame"


def test_sentinels_with_all_that_a_url_can_say() -> None:
    target = read_url(
        f"redis+sentinel://me:{SECRET}@one:26380,two/my%20service/3"
        f"?sentinel_username=them&sentinel_password={SECRET}2&socket_timeout=1.5&client_name=us"
    )
    assert (target.topology, target.service) == ("sentinel", "my service")
    assert target.hosts == (Address("one", 26380), Address("two", 26379))
    assert target.answer_seconds == 1.5
    options = {name: target.options[name] for name in ("username", "password", "db", "client_name")}
    assert options == {"username": "me", "password": SECRET, "db": 3, "client_name": "us"}
    assert target.sentinel_login == ("them", f"{SECRET}2")


def test_what_a_url_leaves_out() -> None:
    target = read_url("redis+sentinel://one/tasks")
    assert (target.hosts, target.service, target.options["db"]) == ((Address("one", 26379),), "tasks", 0)
    assert (target.sentinel_login, target.answer_seconds) == (("", ""), ANSWER_SECONDS)
    assert read_url("redis+cluster://one").hosts == (Address("one", 6379),)


def test_servers_of_a_cluster() -> None:
    target = read_url(f"redis+cluster://:{SECRET}@[::1]:7000/0")
    assert (target.topology, target.hosts) == ("cluster", (Address("::1", 7000),))
    assert target.options["password"] == SECRET


@pytest.mark.parametrize("topology", ["sentinel", "cluster"])
def test_tls_is_a_matter_of_the_scheme(topology: str) -> None:
    path = "/tasks" if topology == "sentinel" else ""
    assert read_url(f"redis+{topology}://one{path}").kind is Connection
    assert read_url(f"rediss+{topology}://one{path}?ssl_cert_reqs=none").kind is SSLConnection


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("redis+sentinel://one:26379", "service/0"),
        ("redis+sentinel://one:26379/", "service/0"),
        ("redis+sentinel://one:26379/tasks/zero", "service/0"),
        ("redis+sentinel:///tasks", "host1"),
        ("redis+sentinel://one,,two/tasks", "host1"),
        ("redis+sentinel://one:port/tasks", "'one:port'"),
        ("redis+sentinel://one:0/tasks", "'one:0'"),
        ("redis+sentinel://one:70000/tasks", "'one:70000'"),
        ("redis+sentinel://one/tasks?colour=red", "'colour'"),
        ("redis+cluster://one:6379/1", "database 0"),
        ("redis+cluster://one:6379?db=1", "database 0"),
        (f"redis+cluster://one?sentinel_password={SECRET}", "'sentinel_password'"),
        ("redis+cluster://one:6379?socket_timeout=soon", "not a Redis URL"),
        (f"redis+cluster://me:{SECRET}@one:x,two:y", "'one:x'"),
        (f"redis+sentinel://me:{SECRET}@[::1/tasks", "…"),
    ],
)
def test_a_malformed_url_is_refused_in_words_that_help(url: str, hint: str) -> None:
    with pytest.raises(InvalidStorageURL) as caught:
        RedisStorage.from_url(url)
    assert hint in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis+sentinel://me:{SECRET}@one:1,two:2/tasks/0", "redis+sentinel://me:***@one:1,two:2/tasks/0"),
        (f"redis+cluster://:{SECRET}@one,two", "redis+cluster://:***@one,two"),
        (f"redis+cluster://me:{SECRET}@one,me:{SECRET}@two", "redis+cluster://me:***@two"),
        (
            f"redis+sentinel://one/t?sentinel_password={SECRET}&db=1",
            "redis+sentinel://one/t?sentinel_password=***&db=1",
        ),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
