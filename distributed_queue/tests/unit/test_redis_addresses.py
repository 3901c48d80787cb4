"""Storage URLs of Redis with several hosts."""

from __future__ import annotations

import ssl

import pytest

from distributed_queue.core.registry import without_password
from distributed_queue.errors import InvalidStorageURL
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.storage.redis.addresses import Address, read_url
from distributed_queue.storage.redis.wire import ANSWER_SECONDS

SECRET = "open-sesame"


def test_sentinels_with_all_that_a_url_can_say() -> None:
    target = read_url(
        f"redis+sentinel://me:{SECRET}@one:26380,two/my%20service/3"
        f"?sentinel_username=them&sentinel_password={SECRET}2&socket_timeout=1.5&client_name=us"
    )
    assert (target.topology, target.service) == ("sentinel", "my service")
    assert target.hosts == (Address("one", 26380), Address("two", 26379))
    assert target.answer_seconds == 1.5
    there = target.endpoint
    assert (there.username, there.password, there.database, there.client_name) == ("me", SECRET, 3, "us")
    assert target.sentinel_login == ("them", f"{SECRET}2")


def test_what_a_url_leaves_out() -> None:
    target = read_url("redis+sentinel://one/tasks")
    assert (target.hosts, target.service, target.endpoint.database) == ((Address("one", 26379),), "tasks", 0)
    assert (target.sentinel_login, target.answer_seconds) == (("", ""), ANSWER_SECONDS)
    assert read_url("redis+cluster://one").hosts == (Address("one", 6379),)


def test_servers_of_a_cluster() -> None:
    target = read_url(f"redis+cluster://:{SECRET}@[::1]:7000/0")
    assert (target.topology, target.hosts) == ("cluster", (Address("::1", 7000),))
    assert target.endpoint.password == SECRET


@pytest.mark.parametrize("topology", ["sentinel", "cluster"])
def test_tls_is_a_matter_of_the_scheme(topology: str) -> None:
    path = "/tasks" if topology == "sentinel" else ""
    assert read_url(f"redis+{topology}://one{path}").endpoint.tls is None
    tls = read_url(f"rediss+{topology}://one{path}?ssl_cert_reqs=none").endpoint.tls
    assert tls is not None
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_NONE, False)


def test_one_server_with_all_that_a_url_can_say() -> None:
    target = read_url(
        "rediss://me%40home:p%2Fss%3A%25@[::1]:7000/2?client_name=us&socket_connect_timeout=0.5&socket_keepalive=no"
        "&ssl_ca_certs=/ca.pem&ssl_ca_path=/cas&ssl_certfile=/me.pem&ssl_keyfile=/me.key&ssl_password=k%20y"
        "&ssl_check_hostname=false&ssl_min_version=771&ssl_ciphers=HIGH"
        "&ssl_include_verify_flags=[VERIFY_X509_STRICT]&ssl_exclude_verify_flags=VERIFY_X509_TRUSTED_FIRST"
    )
    there, tls = target.endpoint, target.endpoint.tls
    assert (there.host, there.port, there.database) == ("::1", 7000, 2)
    assert (there.username, there.password, there.client_name) == ("me@home", "p/ss:%", "us")
    assert (there.connect_seconds, there.keepalive) == (0.5, False)
    assert tls is not None
    assert (tls.ca_file, tls.ca_path) == ("/ca.pem", "/cas")
    assert (tls.certificate_file, tls.key_file, tls.key_password) == ("/me.pem", "/me.key", "k y")
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, False)
    assert (tls.minimum_version, tls.ciphers) == (ssl.TLSVersion.TLSv1_2, "HIGH")
    assert (tls.more_flags, tls.fewer_flags) == (ssl.VERIFY_X509_STRICT, ssl.VERIFY_X509_TRUSTED_FIRST)


def test_the_database_of_one_server_is_in_the_path_or_in_the_query() -> None:
    assert [read_url(url).endpoint.database for url in ("redis://h/3", "redis://h?db=3", "redis://h/1?db=3")] == [3] * 3
    assert read_url("redis://").at(Address("one", 1)).endpoint == read_url("redis://one:1/0").endpoint


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
        ("redis://one/zero", "number of the database"),
        ("redis://one?db=-1", "db=-1"),
        ("redis://one:port", "port"),
        ("redis://one?socket_timeout=nan", "socket_timeout=nan"),
        ("redis://one?socket_connect_timeout=0", "socket_connect_timeout=0"),
        ("redis://one?ssl_ca_certs=ca.pem", "rediss://"),
        ("rediss://one?ssl_cert_reqs=maybe", "'maybe'"),
        ("rediss://one?ssl_min_version=new", "new"),
        ("rediss://one?ssl_include_verify_flags=VERIFY_NOTHING", "'VERIFY_NOTHING'"),
        ("rediss://one?ssl_colour=red", "'ssl_colour'"),
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
