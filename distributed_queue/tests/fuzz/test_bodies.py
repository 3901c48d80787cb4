"""Bodies that something else wrote into the storage: parked, and kept for whoever wants to look."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import TaskUpdate
from distributed_queue.core.task import from_stored
from distributed_queue.storage.memory import MemoryStorage
from distributed_queue.testing import builders
from distributed_queue.testing.steps import enqueue
from distributed_queue.tests.fuzz.records import BODIES, work_around

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as opened:
        yield opened


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_that_cannot_be_read_is_a_dead_letter_with_its_bytes(queue: HybridQueue, kind: str) -> None:
    body = BODIES[kind]
    letter = work_around(queue, lambda: queue.storage.update("default", "bad", TaskUpdate(body=body)))
    assert letter is not None
    assert letter.payload == {"base64": base64.b64encode(body).decode()}
    assert letter.error is not None
    assert "cannot be read" in letter.error


def test_a_payload_that_json_cannot_hold_is_shown_in_base64(queue: HybridQueue) -> None:
    body = b"\x91\x81\x91\x01\xc4\x01\xff"  # a map from an array to bytes
    assert work_around(queue, lambda: queue.storage.update("default", "bad", TaskUpdate(body=body))) is None
    stored = queue.get_task("bad")
    assert stored is not None
    assert stored.payload == {"base64": base64.b64encode(body).decode()}


def test_a_dead_letter_that_was_requeued_unchanged_comes_back(queue: HybridQueue) -> None:
    work_around(queue, lambda: queue.storage.update("default", "bad", TaskUpdate(body=b"\xc1")))
    assert queue.requeue_dead(["bad"]) == 1
    assert queue.get(block=False) is None
    (letter,) = queue.get_dead_letters()
    assert letter.reason == "unreadable"


@given(body=st.binary(max_size=60), error=st.binary(max_size=20), value=st.binary(max_size=20))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bytes_can_be_looked_at(body: bytes, error: bytes, value: bytes) -> None:
    storage = MemoryStorage()
    enqueue(storage, "a")
    (stored,) = storage.get(["a"])
    assert stored is not None
    stored.body, stored.error, stored.result, stored.progress = body, error, value, value
    stored.status = TaskStatus.DEAD
    task = from_stored(stored)
    assert task.queue == builders.Q
    assert task.error is not None
