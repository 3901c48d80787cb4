"""Storage URLs of Redis: one server, the Sentinels that know which server it is, or the servers of a Cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from distributed_queue.core.registry import without_password
from distributed_queue.errors import InvalidStorageURL
from distributed_queue.storage.redis.options import read_number, read_seconds, read_switch
from distributed_queue.storage.redis.tls import TLS_OPTIONS, read_tls
from distributed_queue.storage.redis.wire import ANSWER_SECONDS, CONNECT_SECONDS, Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

_OPTIONS = frozenset({"db", "client_name", "socket_timeout", "socket_connect_timeout", "socket_keepalive"})
_SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
_host = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?").fullmatch
_DEFAULT_PORTS = {"": 6379, "sentinel": 26379, "cluster": 6379}
_MOST_PORTS = 65535


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Target(NamedTuple):
    """What a URL names, and what it takes to connect to it."""

    url: str
    """Without a password."""
    endpoint: Endpoint
    """The server; where there are several, ``at`` says which."""
    answer_seconds: float
    topology: str = ""
    """Nothing, ``sentinel`` or ``cluster``."""
    hosts: tuple[Address, ...] = ()
    """The Sentinels, or some of the servers of a Cluster."""
    service: str = ""
    """What the Sentinels call the primary."""
    sentinel_login: tuple[str, str] = ("", "")
    """User and password for the Sentinels themselves."""

    def at(self, address: Address) -> Target:
        """The same at one of several servers."""
        return self._replace(endpoint=self.endpoint._replace(host=address.host, port=address.port))


def read_url(url: str) -> Target:
    """Understand a URL. Raises ``InvalidStorageURL``."""
    shown = without_password(url)
    try:
        return _read_parts(urlsplit(url), shown)
    except InvalidStorageURL:
        raise
    except ValueError as error:
        raise InvalidStorageURL(f"{shown!r} is not a Redis URL: {error}") from error


def _read_parts(parts: SplitResult, shown: str) -> Target:
    family, _, topology = parts.scheme.partition("+")
    if family not in ("redis", "rediss") or topology not in _DEFAULT_PORTS:
        raise InvalidStorageURL(f"{shown!r} is not a Redis URL: its scheme is {parts.scheme!r}")
    return _several_servers(topology, parts, shown) if topology else _one_server(parts, shown)


def _one_server(parts: SplitResult, shown: str) -> Target:
    options = _options(parts, shown, _OPTIONS)
    database = parts.path.strip("/")
    if database and not (database.isascii() and database.isdigit()):
        raise InvalidStorageURL(f"{shown!r}: the path is the number of the database, as in redis://host:6379/0")
    endpoint = _endpoint(parts, options, parts.username, parts.password, int(database or 0))
    port = _DEFAULT_PORTS[""] if parts.port is None else parts.port
    target = Target(shown, endpoint, read_seconds(options, "socket_timeout", ANSWER_SECONDS))
    return target.at(Address(unquote(parts.hostname or "localhost"), port))


def _several_servers(topology: str, parts: SplitResult, shown: str) -> Target:
    """The same for a URL with a list of hosts."""
    known = _OPTIONS | _SENTINEL_OPTIONS if topology == "sentinel" else _OPTIONS
    options = _options(parts, shown, known)
    login, _, hosts = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    addresses = tuple(_address(host, topology, shown) for host in hosts.split(","))
    service, database = _service(parts, shown) if topology == "sentinel" else ("", _no_database(parts, shown))
    return Target(
        shown,
        _endpoint(parts, options, username, password, database),
        read_seconds(options, "socket_timeout", ANSWER_SECONDS),
        topology,
        addresses,
        service,
        (options.get("sentinel_username", ""), options.get("sentinel_password", "")),
    )


def _endpoint(
    parts: SplitResult, options: Mapping[str, str], username: str | None, password: str | None, database: int
) -> Endpoint:
    """All but where the server is."""
    return Endpoint(
        username=unquote(username or ""),
        password=unquote(password or ""),
        database=read_number(options, "db", database),
        client_name=options.get("client_name", ""),
        connect_seconds=read_seconds(options, "socket_connect_timeout", CONNECT_SECONDS),
        keepalive=read_switch(options, "socket_keepalive", default=True),
        tls=read_tls(options) if parts.scheme.startswith("rediss") else None,
    )


def _options(parts: SplitResult, shown: str, known: frozenset[str]) -> dict[str, str]:
    """The options of a URL, each of which has to be known: the first that says something, where one comes twice."""
    if parts.scheme.startswith("rediss"):
        known |= TLS_OPTIONS
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query):
        if name in TLS_OPTIONS - known:
            raise InvalidStorageURL(f"{shown!r}: {name!r} is for TLS, with rediss://")
        if name not in known:
            shorter = [*sorted(known - TLS_OPTIONS), "ssl_…"]
            raise InvalidStorageURL(f"{shown!r}: there is no option {name!r}. There are: {', '.join(shorter)}")
        options.setdefault(name, value)
    return options


def _address(text: str, topology: str, shown: str) -> Address:
    found = _host(text)
    port = int(found[2] or _DEFAULT_PORTS[topology]) if found else 0
    if not found or not 0 < port <= _MOST_PORTS:
        raise InvalidStorageURL(
            f"{shown!r}: {text!r} is not host:port. Name the servers as in redis+{topology}://host1:{_DEFAULT_PORTS[topology]},"
            f"host2:{_DEFAULT_PORTS[topology]}"
        )
    return Address(found[1].strip("[]"), port)


def _service(parts: SplitResult, shown: str) -> tuple[str, int]:
    """What the Sentinels call the primary, and the number of the database in it."""
    service, _, database = parts.path.lstrip("/").partition("/")
    if not service or (database and not (database.isascii() and database.isdigit())):
        raise InvalidStorageURL(
            f"{shown!r}: the path is the primary's name among the Sentinels and the number of the database, "
            "as in redis+sentinel://host:26379/service/0"
        )
    return unquote(service), int(database or 0)


def _no_database(parts: SplitResult, shown: str) -> int:
    if parts.path.strip("/") not in ("", "0") or "db" in dict(parse_qsl(parts.query)):
        raise InvalidStorageURL(f"{shown!r}: a Cluster has database 0 only; leave the path out")
    return 0
