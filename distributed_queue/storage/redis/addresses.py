"""Storage URLs of Redis: one server, the Sentinels that know which server it is, or the servers of a Cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import redis
from redis.connection import Connection, parse_url

from distributed_queue.core.registry import without_password
from distributed_queue.errors import InvalidStorageURL

if TYPE_CHECKING:
    from urllib.parse import SplitResult

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""How long a command may take; ``?socket_timeout=`` in the URL changes it."""
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
    """What a URL names, and what the driver needs to connect to it."""

    url: str
    """Without a password."""
    kind: type[Connection]
    options: dict[str, Any]
    """Of a connection to a server, without its address where there are several."""
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
        return self._replace(options={**self.options, "host": address.host, "port": address.port})


def read_url(url: str) -> Target:
    """Understand a URL. Raises ``InvalidStorageURL``."""
    shown = without_password(url)
    try:
        parts = urlsplit(url)
        family, _, topology = parts.scheme.partition("+")
        if not topology:
            return _one_server(url, parts, shown)
        return _several_servers(family, topology, parts, shown)
    except InvalidStorageURL:
        raise
    except (ValueError, TypeError, redis.RedisError) as error:
        raise InvalidStorageURL(f"{shown!r} is not a Redis URL: {error}") from error


def _one_server(url: str, parts: SplitResult, shown: str) -> Target:
    _check_options(parts, shown, _OPTIONS)
    if parts.path.strip("/") and not parts.path.strip("/").isdigit():
        raise InvalidStorageURL(f"{shown!r}: the path is the number of the database, as in redis://host:6379/0")
    options = _driver_options(url)
    return Target(shown, options.pop("kind"), options, options.pop("socket_timeout", ANSWER_SECONDS))


def _several_servers(family: str, topology: str, parts: SplitResult, shown: str) -> Target:
    """The same for a URL with a list of hosts, which the driver does not understand."""
    known = _OPTIONS | _SENTINEL_OPTIONS if topology == "sentinel" else _OPTIONS
    _check_options(parts, shown, known)
    login, at, hosts = parts.netloc.rpartition("@")
    addresses = tuple(_address(host, topology, shown) for host in hosts.split(","))
    service, database = _service(parts, shown) if topology == "sentinel" else ("", _no_database(parts, shown))
    query = dict(parse_qsl(parts.query))
    sentinel_login = (query.pop("sentinel_username", ""), query.pop("sentinel_password", ""))
    options = _driver_options(f"{family}://{login}{at}host/{database}?{urlencode(query)}")
    del options["host"]
    return Target(
        shown,
        options.pop("kind"),
        options,
        options.pop("socket_timeout", ANSWER_SECONDS),
        topology,
        addresses,
        service,
        sentinel_login,
    )


def _driver_options(url: str) -> dict[str, Any]:
    """What the driver makes of a URL of one server, and as ``kind`` its class of connections."""
    options: dict[str, Any] = dict(parse_url(url))
    kind = options.pop("connection_class", Connection)
    options = {"socket_connect_timeout": CONNECT_SECONDS, "socket_keepalive": True, "protocol": 2, **options}
    kind(**options)
    return {**options, "kind": kind}


def _check_options(parts: SplitResult, shown: str, known: frozenset[str]) -> None:
    """Refuse what the driver would pass over, or read as something else."""
    unknown = [name for name, _ in parse_qsl(parts.query) if name not in known and not name.startswith("ssl_")]
    if unknown:
        raise InvalidStorageURL(
            f"{shown!r}: there is no option {unknown[0]!r}. There are: {', '.join(sorted(known))}, ssl_…"
        )


def _address(text: str, topology: str, shown: str) -> Address:
    found = _host(text)
    port = int(found[2] or _DEFAULT_PORTS[topology]) if found else 0
    if not found or not 0 < port <= _MOST_PORTS:
        raise InvalidStorageURL(
            f"{shown!r}: {text!r} is not host:port. Name the servers as in redis+{topology}://host1:{_DEFAULT_PORTS[topology]},"
            f"host2:{_DEFAULT_PORTS[topology]}"
        )
    return Address(found[1].strip("[]"), port)


def _service(parts: SplitResult, shown: str) -> tuple[str, str]:
    """What the Sentinels call the primary, and the number of the database in it."""
    service, _, database = parts.path.lstrip("/").partition("/")
    if not service or (database and not database.isdigit()):
        raise InvalidStorageURL(
            f"{shown!r}: the path is the primary's name among the Sentinels and the number of the database, "
            "as in redis+sentinel://host:26379/service/0"
        )
    return unquote(service), database or "0"


def _no_database(parts: SplitResult, shown: str) -> str:
    if parts.path.strip("/") not in ("", "0") or "db" in dict(parse_qsl(parts.query)):
        raise InvalidStorageURL(f"{shown!r}: a Cluster has database 0 only; leave the path out")
    return "0"
