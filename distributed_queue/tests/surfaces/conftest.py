"""Fixtures of the programs' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.surfaces.programs import call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.tests.surfaces.programs import Dq


@pytest.fixture
def dq(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> Dq:
    """The program ``dq``, on an empty SQLite file."""
    return lambda *arguments: call(capsys, *arguments, "--storage-url", sqlite_url)


@pytest.fixture
def queue(sqlite_url: str) -> Iterator[HybridQueue]:
    """The same file, as another program sees it."""
    with HybridQueue.from_url(sqlite_url) as opened:
        yield opened
