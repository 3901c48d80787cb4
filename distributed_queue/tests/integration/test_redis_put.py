"""Storing one task: a script of its own where nothing is out of the ordinary, with the effects of the general one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis

from distributed_queue.errors import QueueFull
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.storage.redis.keys import queue_keys
from distributed_queue.storage.redis.scripts import load_script
from distributed_queue.testing.builders import Q, new_task
from distributed_queue.testing.proxy import FaultProxy
from distributed_queue.testing.servers import HOST
from distributed_queue.testing.steps import claim_ids, counter, enqueue, events, stats, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.testing.servers import RedisServer

META = f"dq:{{{Q}}}:meta"
WAKE = f"dq:{{{Q}}}:wake"


@pytest.fixture
def storage(redis_url: str) -> Iterator[RedisStorage]:
    storage = RedisStorage.from_url(redis_url)
    yield storage
    storage.close()


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[Any]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


def calls(server: Any) -> int:
    return int(server.info("commandstats")["cmdstat_fcall"]["calls"])


@pytest.mark.parametrize(
    "settings",
    [{}, {"max_size": 1000}, {"journal": False}, {"retention_count": 5}],
    ids=["none", "size", "quiet", "kept"],
)
def test_one_task_takes_one_call_and_no_look_at_all_settings(
    storage: RedisStorage, server: Any, settings: dict[str, object]
) -> None:
    storage.configure(Q, settings)
    enqueue(storage, "t0")
    server.config_resetstat()
    for number in range(1, 10):
        assert enqueue(storage, f"t{number}") == [True]
    assert calls(server) == 9
    assert "cmdstat_hgetall" not in server.info("commandstats")
    assert claim_ids(storage) == [f"t{number}" for number in range(10)]
    assert counter(storage, "enqueued|mail") == 10


def test_the_journal_and_the_order_go_on_from_one_script_to_the_other(storage: RedisStorage) -> None:
    enqueue(storage, "a", "b")
    enqueue(storage, "c")
    enqueue(storage, "d", "e")
    storage.enqueue([new_task("first", priority=0)])
    assert [event for event in events(storage) if event[0] == "enqueued"] == [
        ("enqueued", task_id) for task_id in ("a", "b", "c", "d", "e", "first")
    ]
    assert [entry.position for entry in storage.journal(Q, 0, 100)] == [1, 2, 3, 4]
    assert claim_ids(storage) == ["first", *"abcde"]


def test_a_known_id_is_reported_and_counted(storage: RedisStorage) -> None:
    enqueue(storage, "a")
    assert enqueue(storage, "b") == [True]
    assert enqueue(storage, "b") == [False]
    assert (counter(storage, "enqueued|mail"), counter(storage, "deduplicated|mail")) == (2, 1)


def test_a_full_queue_refuses_one_task(storage: RedisStorage) -> None:
    storage.configure(Q, {"max_size": 2})
    enqueue(storage, "a")
    enqueue(storage, "b")
    with pytest.raises(QueueFull) as refusal:
        enqueue(storage, "c")
    assert (refusal.value.depth, refusal.value.limit) == (2, 2)
    assert enqueue(storage, "b") == [False]


@pytest.mark.parametrize("settings", [{"paused": True}, {"concurrency": 0}], ids=["paused", "no concurrency"])
def test_nobody_is_woken_for_what_may_not_be_claimed(
    storage: RedisStorage, server: Any, settings: dict[str, object]
) -> None:
    storage.configure(Q, settings)
    enqueue(storage, "a")
    server.delete(WAKE)
    assert enqueue(storage, "b") == [True]
    assert not server.exists(WAKE)
    assert stats(storage).depth == 2


@pytest.mark.parametrize(
    "name", ["max_size", "paused", "rate_limit", "journal_max_age", "sequence", "position", "journal_since"]
)
def test_what_cannot_be_read_of_a_queue_holds_no_task_up(storage: RedisStorage, server: Any, name: str) -> None:
    enqueue(storage, "a")
    enqueue(storage, "b")
    server.hset(META, name, "what?")
    assert enqueue(storage, "c") == [True]
    assert stored(storage, "c").type == "mail"


def test_a_journal_that_something_else_wrote_to_goes_on(storage: RedisStorage, server: Any) -> None:
    enqueue(storage, "a")
    enqueue(storage, "b")
    server.xadd(f"dq:{{{Q}}}:journal", {"x": "y"}, "1000-0")
    assert enqueue(storage, "c") == [True]
    assert storage.journal(Q, 1000, 10)[0].changes[0].task_id == "c"


def test_types_beyond_those_counted_apart_are_counted_together(storage: RedisStorage) -> None:
    for number in range(203):
        storage.enqueue([new_task(f"t{number}", task_type=f"type{number}")])
    assert counter(storage, "enqueued|type199") == 1
    assert counter(storage, "enqueued|other") == 3
    assert not any(name == "enqueued|type200" for name in stats(storage).counters)


@pytest.mark.parametrize("later", ["000000000007", "000000000006"], ids=["again", "late"])
def test_a_copy_of_the_call_stores_nothing_though_the_task_was_forgotten_since(
    storage: RedisStorage, server: Any, later: str
) -> None:
    enqueue(storage, "a")
    keys = queue_keys(Q)

    def put(token: str) -> object:
        named = (*keys.for_put, keys.task_prefix + b"#b", keys.operation(b"me"))
        script = load_script("put")
        return server.execute_command(*script.teach(script.call(named, "", token, b"#b", b"body", "mail", 100)))

    assert put("000000000007") == 1
    assert storage.delete(Q, ["b"]) == [True]
    assert put(later) == 0
    assert storage.get(["b"], Q) == [None]
    assert put("000000000008") == 1


def test_a_lost_reply_counts_a_task_once(redis_server: RedisServer) -> None:
    redis_server.flush()
    with FaultProxy(redis_server.port) as proxy:
        storage = RedisStorage.from_url(f"redis://{HOST}:{proxy.port}/0")
        enqueue(storage, "a")
        enqueue(storage, "b")
        proxy.swallow(1)
        assert enqueue(storage, "c") == [True]
        assert proxy.swallowed == 1
        assert (counter(storage, "enqueued|mail"), counter(storage, "deduplicated|mail")) == (3, 0)
        assert events(storage) == [("enqueued", task_id) for task_id in "abc"]
        storage.close()
