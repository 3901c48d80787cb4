"""What the programs can be told, and from where: flags, then the environment, then ``.env``, then defaults.

Within the environment, and within ``.env``, a setting's ``DQ_…`` name counts before its other names; an empty value
counts as none. A value that cannot be used is a ``ConfigurationError`` that names variable, value and what is accepted.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import logging
import math
import os
import re
from dataclasses import dataclass, field, fields
from importlib import import_module
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distributed_queue.core.durability import Durability
from distributed_queue.errors import ConfigurationError, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

logger = logging.getLogger(__name__)

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d|)")
_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"(\d+)\s*(?:([kmg])(?:i?b)?|b|)")


def parse_duration(text: str) -> float:
    """Seconds, of ``90``, ``1.5s``, ``500ms``, ``5m``, ``2h``, ``1d``, or together: ``1h30m``. Else ValueError."""
    compact = text.strip().lower()
    parts = list(_DURATION.finditer(compact))
    read = "".join(part.group() for part in parts)
    if not parts or read != compact or (len(parts) > 1 and not all(part.group(2) for part in parts)):
        raise ValueError(text)
    seconds = sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts)
    if not math.isfinite(seconds):
        raise ValueError(text)
    return seconds


def parse_size(text: str) -> int:
    """Bytes, of ``1048576``, ``512k`` or ``1MiB``. Else ValueError."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(text)
    return int(match.group(1)) * _SIZES[match.group(2) or ""]


class Kind(NamedTuple):
    """What texts a setting accepts: in words, and the function that reads one or raises ``ValueError``."""

    accepts: str
    parse: Callable[[str], Any]


def _whole(lowest: int, highest: int) -> Kind:
    def parse(text: str) -> int:
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError(text)
        return number

    return Kind(f"a whole number from {lowest:,} to {highest:,}", parse)


def _within(accepts: str, read: Callable[[str], float], lowest: float, highest: float) -> Kind:
    def parse(text: str) -> float:
        number = read(text)
        if not lowest <= number <= highest:
            raise ValueError(text)
        return number

    return Kind(accepts, parse)


def _one_of(*words: str) -> Kind:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return Kind("one of " + ", ".join(words), parse)


def _parse_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _parse_switch(text: str) -> bool:
    word = text.lower()
    if word not in _SWITCHES:
        raise ValueError(text)
    return _SWITCHES[word]


def _parse_networks(text: str) -> tuple[str, ...]:
    return tuple(str(ip_network(name)) for name in _parse_names(text))


_TEXT = Kind("a text", str)
_SWITCH = Kind("true or false", _parse_switch)
_NAMES = Kind("names with commas between them", _parse_names)
_NETWORKS = Kind("networks such as 10.1.0.0/16, with commas between them", _parse_networks)


def _seconds(lowest: float, words: str) -> Kind:
    return _within(f"a duration such as 30, 30s, 5m or 2h, {words}", parse_duration, lowest, 1e9)


def _setting(default: object, *variables: str, kind: Kind = _TEXT, secret: bool = False) -> Any:
    """A field with the names of its variables, the ``DQ_…`` one first."""
    return field(default=default, repr=not secret, metadata={"variables": variables, "kind": kind, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the programs can be told. Durations are seconds; their texts may have units: ``30s``, ``5m``."""

    host: str = _setting("127.0.0.1", "DQ_HOST")
    """Address that the server listens on. The default is reached from this machine only; ``0.0.0.0`` is reached from
    everywhere, and then there has to be an API key."""

    port: int = _setting(8000, "DQ_PORT", kind=_whole(0, 65_535))
    """TCP port that the server listens on. 0 takes any free one and says which."""

    metrics_port: int | None = _setting(None, "DQ_METRICS_PORT", kind=_whole(0, 65_535))
    """TCP port, of the same address, on which a program of workers shows its metrics to Prometheus; everyone who
    reaches it may read them. 0 takes any free one and says which. The default is none; the server has its own at
    ``/api/v1/metrics``."""

    storage_url: str | None = _setting(None, "DQ_STORAGE_URL", "REDIS_URL", secret=True)
    """Where the tasks are: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``redis://host:6379/0``, ``rediss://…``,
    ``redis+sentinel://host:26379/service/0``, ``redis+cluster://host:6379`` or ``memory://``. The default is a
    SQLite file in the user's data folder; name a Redis when several hosts work."""

    durability: str | None = _setting(None, "DQ_DURABILITY", kind=_one_of(*map(str, Durability)))
    """What an acknowledged task has to survive at least, besides the death of any worker and client: ``none`` is
    nothing more, ``standard`` a crash of the storage, ``durable`` a power cut, ``replicated`` the loss of a host. The
    default takes what the storage has. A storage that gives less is refused at the start, with what to change."""

    workers: int = _setting(10, "DQ_WORKERS", kind=_whole(0, 10_000))
    """Handlers that run at the same time in this process. 0 lets the server run none. More for handlers that wait for
    other systems, about the number of cores for those that compute."""

    worker_name: str | None = _setting(None, "DQ_WORKER_NAME")
    """Name under which this process's worker is shown. The default is made of host name and process id."""

    max_stuck: int = _setting(10, "DQ_MAX_STUCK", kind=_whole(0, 1_000_000))
    """Handlers that may be stuck (told to stop, they do not) before ``dq worker`` stops with exit code 9, so that its
    supervisor starts another: only that frees what they hold. 0 sets no limit."""

    queues: tuple[str, ...] = _setting((), "DQ_QUEUES", kind=_NAMES)
    """Queues that workers take from, the preferred ones first, with commas between. The default is all, in turn.
    ``mail:3,default`` asks mail first three times out of four, instead of always."""

    handlers: tuple[str, ...] = _setting((), "DQ_HANDLERS", kind=_NAMES)
    """Modules with handlers: ``module`` (with a dictionary ``handlers`` or a function ``register(pool)``) or
    ``module:name`` of such a thing; commas between. The server has ``simple``, ``default`` and ``math`` besides."""

    api_key: str | None = _setting(None, "DQ_API_KEY", "API_KEY", secret=True)
    """Key that requests which change something have to send as ``X-API-Key``. The default is none: whoever reaches the
    port may do everything. Others than this machine can reach it only where there is a key."""

    api_keys_file: str | None = _setting(None, "DQ_API_KEYS_FILE")
    """File with further keys, each with roles and an end, that ``dq keys`` makes. Servers notice changes within a
    second. The default is none."""

    webhooks_file: str | None = _setting(None, "DQ_WEBHOOKS_FILE")
    """File with the webhooks, which ``dq webhooks`` makes: who is told of what happens to tasks. A server that has it
    sends them, and notices changes within a second. The default is none."""

    webhooks_allow: tuple[str, ...] = _setting((), "DQ_WEBHOOKS_ALLOW", kind=_NETWORKS)
    """Networks that webhooks may go to though they are not public, such as ``10.1.0.0/16``, with commas between. The
    default lets nobody reach with a webhook what only this machine reaches."""

    webhooks_http: bool = _setting(False, "DQ_WEBHOOKS_HTTP", kind=_SWITCH)
    """Whether webhooks may go to addresses that begin with ``http://``, unencrypted. For trials, and networks of one's
    own."""

    require_key_for_reads: bool = _setting(False, "DQ_REQUIRE_KEY_FOR_READS", kind=_SWITCH)
    """Whether requests that change nothing need a key too. The default lets everyone read who reaches the port; health
    and documentation stay open in any case."""

    insecure: bool = _setting(False, "DQ_INSECURE", kind=_SWITCH)
    """Whether others than this machine may reach a server that has no key, and by any name. The default refuses that.
    Set it where something else, such as a network that only trusted programs are in, keeps others out."""

    max_size: int | None = _setting(None, "DQ_MAX_SIZE", kind=_whole(0, 10**12))
    """Tasks that may wait in a queue; further ones are refused. The default leaves what the storage has, at first no
    limit. Set it to the backlog that you would rather refuse than keep."""

    rate_limit: float | None = _setting(
        None, "DQ_RATE_LIMIT", kind=_within("a number of tasks per second, above 0", float, 1e-6, 1e6)
    )
    """Tasks that may start per second in a queue, over all processes. The default leaves what the storage has, at first
    no limit. Set it to protect what the handlers call."""

    visibility_timeout: float = _setting(
        300.0,
        "DQ_VISIBILITY_TIMEOUT",
        kind=_within("a duration such as 30, 30s, 5m or 2h, up to 7d", parse_duration, 0.1, 7 * 86_400.0),
    )
    """Seconds for which a task taken with ``get()`` may be worked on before others may have it. Workers renew leases of
    their own, so only programs that call ``get()`` for long work need more than the default."""

    retention_seconds: float | None = _setting(None, "DQ_RETENTION_SECONDS", kind=_seconds(0, "0 or more"))
    """Seconds for which completed, cancelled and expired tasks stay to be looked at. The default leaves what the
    storage has, at first one hour. Longer needs more space."""

    retention_count: int | None = _setting(None, "DQ_RETENTION_COUNT", kind=_whole(0, 10**9))
    """How many of them stay at most in a queue. The default leaves what the storage has, at first 100,000."""

    max_body_bytes: int = _setting(
        1 << 20, "DQ_MAX_BODY_BYTES", kind=_within("a size such as 65536, 512k or 1MiB", parse_size, 1, 1 << 30)
    )
    """Largest payload, or result, of one task in bytes, encoded. The default is 1 MiB; store larger data elsewhere and
    pass a reference to it."""

    max_connections: int = _setting(10_000, "DQ_MAX_CONNECTIONS", kind=_whole(1, 1_000_000))
    """Connections to the server that may be open at once, event streams included; fewer where the process may not have
    so many open files (``ulimit -n``). Who comes then gets 503 with ``Retry-After``."""

    max_streams: int = _setting(100, "DQ_MAX_STREAMS", kind=_whole(0, 1_000_000))
    """Event streams (``/api/v1/events``) that may be open at once. Further ones get 503 with ``Retry-After``, so that
    streams leave connections for requests."""

    keep_alive_seconds: float = _setting(5.0, "DQ_KEEP_ALIVE_SECONDS", kind=_seconds(0.1, "0.1 or more"))
    """Seconds for which a connection may idle between two requests. Behind a proxy that keeps connections, set it above
    what the proxy does: else the server may close one that the proxy is about to use."""

    shutdown_timeout: float = _setting(30.0, "DQ_SHUTDOWN_TIMEOUT", kind=_seconds(0, "0 or more"))
    """Seconds that running tasks get to finish when the program is told to stop; then they are given back, without
    using up an attempt. Keep it below what your platform grants between SIGTERM and SIGKILL."""

    log_level: str = _setting("info", "DQ_LOG_LEVEL", kind=_one_of("debug", "info", "warning", "error"))
    """Least important messages that are logged."""

    log_format: str = _setting("text", "DQ_LOG_FORMAT", kind=_one_of("text", "json"))
    """``text`` for people, ``json`` for collectors: one object a line, on stderr."""

    @classmethod
    def load(
        cls,
        flags: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        dotenv: Path | None = Path(".env"),
    ) -> Settings:
        """The settings from all sources. ``flags`` has values of fields; None in it means not given.

        Raises ``ConfigurationError``. A ``DQ_…`` name that is no setting is logged as a warning: it is most likely
        mistyped, and silence would hide that.
        """
        traced = trace(flags, environment, dotenv)
        for unknown in traced.unknown:
            logger.warning("%s", unknown)
        return traced.settings


class Traced(NamedTuple):
    """The settings, and how they came about."""

    settings: Settings
    origins: dict[str, str]
    """For each setting: ``flag``, a variable, a variable ``in`` a file, or ``default``."""
    unknown: list[str]
    """For each ``DQ_…`` name that is no setting, a sentence that says so and guesses at what was meant."""


def trace(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    dotenv: Path | None = Path(".env"),
) -> Traced:
    """As ``Settings.load``, with where each value came from, and silently."""
    sources = [("", os.environ if environment is None else environment), (f" in {dotenv}", _read_dotenv(dotenv))]
    values = {name: value for name, value in (flags or {}).items() if value is not None and value != ()}
    origins = {each.name: "flag" if each.name in values else "default" for each in fields(Settings)}
    for each in fields(Settings):
        if each.name not in values:
            found = _look_up(each.metadata["variables"], sources)
            if found is not None:
                variable, where, text = found
                values[each.name] = parse_setting(each.name, text, called=variable + where)
                origins[each.name] = variable + where
    known = _known_variables()
    named = sorted({name for _, source in sources for name in source if name.startswith("DQ_")} - known)
    unknown = [f"{name} is not a setting{_suggestion(name, known)}" for name in named]
    return Traced(Settings(**values), origins, unknown)


class Description(NamedTuple):
    """A setting as the documentation shows it."""

    name: str
    variables: tuple[str, ...]
    """Names in the environment and in ``.env``; the first is the preferred one."""
    default: Any
    accepts: str
    secret: bool
    doc: str
    """What the docstring below the field says, on one line."""


def parse_setting(name: str, text: str, called: str = "") -> Any:
    """The value of the setting ``name`` from its text. Raises ``ConfigurationError``, which says ``called`` for it."""
    metadata = Settings.__dataclass_fields__[name].metadata
    kind: Kind = metadata["kind"]
    try:
        return kind.parse(text.strip())
    except ValueError:
        shown = "not usable" if metadata["secret"] else repr(text)[:100]
        raise ConfigurationError(f"{called or name} is {shown}; it is {kind.accepts}") from None


def describe() -> list[Description]:
    """All settings, in the order of the class."""
    body = ast.parse(inspect.getsource(Settings)).body[0]
    docs = _docstrings(body.body) if isinstance(body, ast.ClassDef) else {}
    return [
        Description(
            each.name,
            each.metadata["variables"],
            each.default,
            each.metadata["kind"].accepts,
            each.metadata["secret"],
            docs[each.name],
        )
        for each in fields(Settings)
    ]


def _docstrings(statements: list[ast.stmt]) -> dict[str, str]:
    """The texts below fields, which Python itself does not keep."""
    docs = {}
    for statement, below in pairwise(statements):
        if isinstance(statement, ast.AnnAssign) and isinstance(below, ast.Expr):
            docs[ast.unparse(statement.target)] = " ".join(str(ast.literal_eval(below.value)).split())
    return docs


def _known_variables() -> set[str]:
    return {variable for each in fields(Settings) for variable in each.metadata["variables"]}


def _suggestion(unknown: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(unknown, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _look_up(variables: Iterable[str], sources: Iterable[tuple[str, Mapping[str, str]]]) -> tuple[str, str, str] | None:
    """The first name that has a value, where that is, and the value; an earlier source before a later one."""
    for where, source in sources:
        for variable in variables:
            if source.get(variable, "").strip():
                return variable, where, source[variable]
    return None


def _read_dotenv(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    try:
        dotenv = import_module("dotenv")
    except ModuleNotFoundError as error:
        raise MissingDependency(f"The file {path}", "cli") from error
    try:
        return {name: value for name, value in dotenv.dotenv_values(path).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
