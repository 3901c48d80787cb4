"""The memory engine is held to the contract."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from distributed_queue.storage.memory import MemoryStorage
from distributed_queue.testing.conformance import *  # noqa: F403: the suite

if TYPE_CHECKING:
    from distributed_queue.testing.conformance.fixtures import OpenClient


@pytest.fixture
def open_client() -> OpenClient:
    """The data is in the client, so there is one."""
    return functools.cache(MemoryStorage)
