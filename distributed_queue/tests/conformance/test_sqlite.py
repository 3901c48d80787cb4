"""The SQLite engine is held to the contract."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from distributed_queue.storage.sqlite import SQLiteStorage
from distributed_queue.testing.conformance import *  # noqa: F403  # the suite

if TYPE_CHECKING:
    from distributed_queue.testing.conformance.fixtures import OpenClient


@pytest.fixture
def open_client(sqlite_url: str) -> OpenClient:
    """Each client has a connection of its own."""
    return functools.partial(SQLiteStorage.from_url, sqlite_url)
