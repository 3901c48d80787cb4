"""Cursors that nobody was given: a page, or ``InvalidCursor``."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.errors import InvalidCursor
from distributed_queue.tests.steps import put
from distributed_queue.tests.surfaces.api_server import serve

if TYPE_CHECKING:
    from pathlib import Path

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats()
words = st.sampled_from(
    ["pending", "dead", "completed", "default", "", "nan", "inf", "-inf", "1e999", "1_0", "٣", "0x1"]
)
values = st.recursive(
    st.none() | st.booleans() | numbers | words | st.text(max_size=10) | st.binary(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def encode(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).decode()


def decode(cursor: str) -> list[Any]:
    read: list[Any] = msgspec.msgpack.decode(base64.urlsafe_b64decode(cursor))
    return read


def changed(cursor: str, changes: dict[int, Any]) -> str:
    """A cursor that was given, of which some parts were written over."""
    return encode([changes.get(number, part) for number, part in enumerate(decode(cursor))])


def filled(url: str) -> HybridQueue:
    """A queue with tasks in several states."""
    queue = HybridQueue.from_url(url)
    for number in range(6):
        put(queue, number, priority=number % 2 * 100, delay=1000.0 if number > 3 else None)
    queue.cancel(put(queue, "over").task_id)
    return queue


def test_a_forged_cursor_gets_a_page_or_is_refused(storage_url: str) -> None:
    with filled(storage_url) as queue:
        given_out = [page.cursor for page in pages(queue)][:-1]
        assert len(given_out) >= 6

        @given(
            forged=st.one_of(
                st.text(max_size=30),
                st.binary(max_size=30).map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
                st.lists(values, max_size=5).map(encode),
                st.builds(
                    changed,
                    st.sampled_from(given_out),
                    st.dictionaries(st.integers(0, 4), values, min_size=1, max_size=2),
                ),
            )
        )
        @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def forge(forged: str) -> None:
            try:
                page = queue.find(cursor=forged, limit=2)
            except InvalidCursor:
                return
            assert len(page) <= 2

        forge()
        assert sum(len(page) for page in pages(queue)) == 7


def pages(queue: HybridQueue) -> list[Any]:
    found = [queue.find(limit=1)]
    while found[-1].cursor is not None:
        found.append(queue.find(limit=1, cursor=found[-1].cursor))
    return found


def test_over_rest_a_forged_cursor_is_a_bad_request(storage_url: str) -> None:
    with filled(storage_url) as queue, serve(queue) as api:
        for forged in ("", "x", encode([]), encode({"a": 1}), encode(["default", "pending", "nan", b""])):
            for path in ("/tasks", "/dead-letters"):
                api.problem(api.client.get(path, params={"cursor": forged}), 400, "invalid-cursor")


def test_a_cursor_of_another_storage_is_refused_or_gets_a_page(tmp_path: Path, redis_url: str) -> None:
    with filled("memory://") as memory, filled(f"sqlite:///{tmp_path}/q.db") as file, filled(redis_url) as server:
        queues = (memory, file, server)
        for foreign in [queue.find(limit=1).cursor for queue in queues]:
            for queue in queues:
                try:
                    assert len(queue.find(cursor=foreign, limit=3)) <= 3
                except InvalidCursor:
                    continue
