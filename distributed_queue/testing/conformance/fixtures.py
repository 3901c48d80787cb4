"""The fixtures that the suite's tests ask for. An engine's binding supplies ``open_client`` only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from distributed_queue.core.clock import Clock, ManualClock
from distributed_queue.core.lifecycle import LISTED_ORDER, TaskStatus
from distributed_queue.core.storage import ClaimedTask, Storage
from distributed_queue.testing.steps import REACHABLE, bring_to, claim_one, enqueue

OpenClient = Callable[[Clock | None], Storage]
"""Opens a client of this test's data, with a clock or the engine's own.

The data is empty when the test begins. Each call gives a client of its own, as another process would have it; an engine
whose data lives in the client gives the same one each time.
"""


@pytest.fixture
def clock() -> ManualClock:
    """The clock of ``storage`` and ``second_storage``: it stands still until the test moves it."""
    return ManualClock()


@pytest.fixture
def storage(open_client: OpenClient, clock: ManualClock) -> Iterator[Storage]:
    """An empty storage."""
    client = open_client(clock)
    yield client
    client.close()


@pytest.fixture
def second_storage(storage: Storage, open_client: OpenClient, clock: ManualClock) -> Iterator[Storage]:
    """Another client of the data of ``storage``."""
    client = open_client(clock)
    yield client
    client.close()


@pytest.fixture
def realtime_storage(open_client: OpenClient) -> Iterator[Storage]:
    """An empty storage on the engine's own clock, for what has to wait."""
    client = open_client(None)
    yield client
    client.close()


@pytest.fixture
def second_realtime_storage(realtime_storage: Storage, open_client: OpenClient) -> Iterator[Storage]:
    """Another client of the data of ``realtime_storage``."""
    client = open_client(None)
    yield client
    client.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads to wait in."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def claimed(storage: Storage) -> ClaimedTask:
    """A task in its first attempt."""
    enqueue(storage, "t1")
    return claim_one(storage)


@pytest.fixture
def zoo(storage: Storage) -> list[str]:
    """A task in each state, named after it; their ids as they are listed."""
    for state in REACHABLE:
        if state is not TaskStatus.PENDING:
            bring_to(storage, state, str(state))
    bring_to(storage, TaskStatus.PENDING, "pending")
    return [str(state) for state in LISTED_ORDER if state in REACHABLE]
