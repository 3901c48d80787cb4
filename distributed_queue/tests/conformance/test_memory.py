"""The memory engine is held to the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.storage.memory import MemoryStorage
from distributed_queue.testing.conformance import *  # noqa: F403  # the suite

if TYPE_CHECKING:
    from distributed_queue.core.clock import Clock
    from distributed_queue.testing.conformance.fixtures import OpenClient


@pytest.fixture
def open_client() -> OpenClient:
    """The data is in the client, so there is one."""
    clients: list[MemoryStorage] = []

    def open_client(clock: Clock | None) -> MemoryStorage:
        if not clients:
            clients.append(MemoryStorage(clock))
        return clients[0]

    return open_client
