"""Scripts run as functions where a server has them, and as scripts where it has not: with the same effects."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
import redis

from distributed_queue.core.clock import ManualClock
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.storage.redis.scripts import load_script
from distributed_queue.testing.builders import Q
from distributed_queue.testing.proof.simulation import Simulation
from distributed_queue.testing.steps import claim_ids, enqueue

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = files("distributed_queue.storage.redis") / "scripts"
NAMES = sorted(path.name.removesuffix(".lua") for path in FOLDER.iterdir() if path.name.endswith(".lua"))
PASSWORD = "let-me-in"
MAY_NOT = {
    "call functions": ("-fcall", "-function"),
    "teach functions": ("-function",),
}
_TOP_LEVEL = re.compile(r"^local (?:function (\w+)|(\w+(?:,\s*\w+)*))", re.MULTILINE)


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    """The server, which knows no functions."""
    with redis.Redis.from_url(redis_url) as server:
        server.function_flush()
        server.config_resetstat()
        yield server


@pytest.fixture
def restricted(request: pytest.FixtureRequest, server: redis.Redis, redis_url: str) -> Iterator[str]:
    """The URL for a user who may not do something."""
    rules = MAY_NOT[request.param]
    server.execute_command("ACL", "SETUSER", "guest", "on", f">{PASSWORD}", "~dq:*", "+@all", *rules)
    yield redis_url.replace("redis://", f"redis://guest:{PASSWORD}@")
    server.execute_command("ACL", "DELUSER", "guest")


def calls(server: redis.Redis, command: str) -> int:
    """How often a command was carried out without an error."""
    figures = server.info("commandstats").get(f"cmdstat_{command}", {})
    return int(figures.get("calls", 0)) - int(figures.get("failed_calls", 0))


def history(url: str) -> list[object]:
    clock = ManualClock()
    storage = RedisStorage.from_url(url, clock)
    try:
        simulation = Simulation(storage, clock, seed=7)
        assert simulation.run(600).ok
    finally:
        storage.close()
    return list(simulation.history.records)


@pytest.mark.parametrize("name", NAMES)
def test_every_script_can_be_a_function(server: redis.Redis, name: str) -> None:
    library = load_script(name).library
    assert server.function_load(library.source.decode()) == library.name
    (known,) = server.function_list()
    ((_, function, *_, flags),) = (known[known.index(b"functions") + 1],)[0]
    assert function == library.name
    reads = name in {"get", "list", "peek", "stats", "workers"}
    assert (b"no-writes" in flags) is reads


@pytest.mark.parametrize("name", NAMES)
def test_no_two_things_at_the_top_of_a_script_have_one_name(name: str) -> None:
    """As a function, a script has all of them as variables of one scope, and Lua has room for 200 of these."""
    names: list[str] = []
    for function, variables in _TOP_LEVEL.findall(load_script(name).source.decode()):
        names += [function] if function else [each.strip() for each in variables.split(",")]
    assert not {each for each in names if names.count(each) > 1} - {"_"}
    assert len(names) < 195


def test_a_server_that_has_functions_runs_nothing_else(server: redis.Redis, redis_url: str) -> None:
    history(redis_url)
    assert calls(server, "fcall") > 500
    assert calls(server, "evalsha") == calls(server, "eval") == 0


def test_a_server_that_forgot_its_functions_is_taught_them_again(server: redis.Redis, redis_url: str) -> None:
    storage = RedisStorage.from_url(redis_url)
    enqueue(storage, "t1")
    server.function_flush()
    enqueue(storage, "t2")
    assert claim_ids(storage, Q) == ["t1", "t2"]
    storage.close()


@pytest.mark.parametrize("restricted", MAY_NOT, indirect=True)
def test_a_user_without_functions_runs_scripts_to_the_same_effect(
    server: redis.Redis, redis_url: str, restricted: str
) -> None:
    with_scripts = history(restricted)
    assert calls(server, "evalsha") > 500
    assert calls(server, "fcall") == 0
    server.flushall()
    assert history(redis_url) == with_scripts
