"""Records that something else wrote into Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis

from distributed_queue.core.config import tell_unreadable
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.records import QueueConfig
from distributed_queue.tests.fuzz.records import work_around

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.testing.servers import RedisServer

PREFIX = "dq:{default}:"
RECORD = f"{PREFIX}#bad"

PARKED: dict[str, Callable[[Any], object]] = {
    "no record": lambda admin: admin.delete(RECORD),
    "no body": lambda admin: admin.hdel(RECORD, "b"),
    "no time": lambda admin: admin.hdel(RECORD, "c"),
    "a time that is no number": lambda admin: admin.hset(RECORD, "c", "soon"),
    "an attempt that is no number": lambda admin: admin.hset(RECORD, "a", "0x1"),
    "an attempt too large to count": lambda admin: admin.hset(RECORD, "a", "9" * 30),
    "failures that are no number": lambda admin: admin.hset(RECORD, "f", b"\xff\x00"),
    "crashes below zero": lambda admin: admin.hset(RECORD, "k", "-1"),
    "an expiry that is no number": lambda admin: admin.hset(RECORD, "x", "nan"),
    "a text": lambda admin: (admin.delete(RECORD), admin.set(RECORD, b"\xff" * 100)),
    "a list": lambda admin: (admin.delete(RECORD), admin.rpush(RECORD, "a", "b")),
    "an order that no priority has": lambda admin: admin.zadd(f"{PREFIX}ready", {"#bad": -1.5}),
    "an order without end": lambda admin: admin.zadd(f"{PREFIX}ready", {"#bad": "-inf"}),
    "an id that is no text": lambda admin: admin.zadd(f"{PREFIX}ready", {b"#\xff\xfe": 0}),
    "an id that is empty": lambda admin: admin.zadd(f"{PREFIX}ready", {b"": 0}),
    "an id that is too long": lambda admin: admin.zadd(f"{PREFIX}ready", {b"#" + b"x" * 3000: 0}),
    "a lease of nothing": lambda admin: admin.zadd(f"{PREFIX}leases", {"#ghost": 1}),
    "a due time of nothing": lambda admin: admin.zadd(f"{PREFIX}scheduled", {"#ghost": 1}),
    "a retry of nothing": lambda admin: admin.zadd(f"{PREFIX}retrying", {"#ghost": 1}),
    "an expiry of nothing": lambda admin: admin.zadd(f"{PREFIX}expiry", {"#ghost": 1}),
}

HARMLESS: dict[str, Callable[[Any], object]] = {
    "a field of later": lambda admin: admin.hset(RECORD, "zz", "x"),
    "a type that is no text": lambda admin: admin.hset(RECORD, "t", b"\xff"),
    "an error that cannot be read": lambda admin: admin.hset(RECORD, "e", b"\xc1"),
    "progress that cannot be read": lambda admin: admin.hset(RECORD, "h", b"\xc1"),
    "a worker that cannot be read": lambda admin: (
        admin.hset("dq:{workers}:infos", "ghost", b"\xc1"),
        admin.zadd("dq:{workers}:beats", {"ghost": 9e12}),
    ),
    "a journal entry that cannot be read": lambda admin: admin.xadd(f"{PREFIX}journal", {"e": b"\xc1"}, id="3-1"),
    "a journal of another kind": lambda admin: (admin.delete(f"{PREFIX}journal"), admin.set(f"{PREFIX}journal", "x")),
}


@pytest.fixture
def queue(redis_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def admin(redis_server: RedisServer) -> Iterator[Any]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


@pytest.mark.parametrize("kind", PARKED)
def test_a_record_that_cannot_be_worked_with_is_parked_and_nothing_else_is_lost(
    queue: HybridQueue, admin: Any, kind: str
) -> None:
    letter = work_around(queue, lambda: PARKED[kind](admin))
    assert letter is not None
    assert letter.reason == "unreadable"
    assert queue.requeue_dead([letter.task_id]) == 1 or queue.get_task(letter.task_id) is not None


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_does_not_matter_for_the_work_holds_nothing_up(queue: HybridQueue, admin: Any, kind: str) -> None:
    assert work_around(queue, lambda: HARMLESS[kind](admin)) is None
    assert [entry.position for entry in queue.storage.journal("default", 0, 100)]


@pytest.mark.parametrize(
    ("position", "after"),
    [("999999999-0", 999999999), ("4-7", 4), (f"{1 << 60}-0", 0), (f"{(1 << 64) - 1}-{(1 << 64) - 1}", 0)],
)
def test_those_who_follow_the_journal_miss_nothing_after_an_entry_far_ahead(
    queue: HybridQueue, admin: Any, position: str, after: int
) -> None:
    assert work_around(queue, lambda: admin.xadd(f"{PREFIX}journal", {"e": b"\x92\x01\x90"}, id=position)) is None
    entries = queue.storage.journal("default", after, 100)
    seen = [change.event for entry in entries for change in entry.changes]
    assert seen.count("completed") == 3
    assert entries[-1].position == queue.storage.journal_tail("default")


@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "1e999", "9" * 400, b"\xff"])
@pytest.mark.parametrize(
    "name",
    ["max_size", "rate_limit", "rate_burst", "concurrency", "paused", "max_crashes", "retention_count", "journal"],
)
def test_a_setting_that_cannot_be_read_has_its_default_and_can_be_mended(
    queue: HybridQueue, admin: Any, caplog: pytest.LogCaptureFixture, name: str, value: Any
) -> None:
    tell_unreadable.cache_clear()
    queue.storage.configure("default", {"max_size": 100})
    admin.hset(f"{PREFIX}meta", name, value)
    assert work_around(queue, lambda: None) is None
    assert queue.storage.configure("default", {"concurrency": 3}).concurrency == 3
    assert queue.storage.stats()[0].config.concurrency == 3
    assert f"unreadable: the setting {name}" in caplog.text
    default = getattr(QueueConfig(), name)
    queue.storage.configure("default", {name: default})
    assert not admin.hexists(f"{PREFIX}meta", name)


def test_a_dead_record_of_another_kind_can_be_deleted(queue: HybridQueue, admin: Any) -> None:
    work_around(queue, lambda: (admin.delete(RECORD), admin.set(RECORD, "x")))
    assert queue.delete_dead(["bad"]) == 1
    assert queue.get_task("bad") is None


def test_an_id_with_something_else_under_its_key_is_taken(queue: HybridQueue, admin: Any) -> None:
    admin.set(RECORD, "x")
    assert work_around(queue, lambda: None) is None
    assert admin.get(RECORD) == b"x"
