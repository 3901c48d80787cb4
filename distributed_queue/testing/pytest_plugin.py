"""The pytest plugin: fixtures for tests of an application's tasks. Installed with the package, and idle unless used.

A project says once, in its ``conftest.py``, which application is tested::

    @pytest.fixture
    def dq_app():
        return shop.tasks.app

or in its configuration: ``dq_app = "shop.tasks:app"``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.core.app import DistributedQ
    from distributed_queue.core.task import Task
    from distributed_queue.testing.faulty import FaultyStorage
    from distributed_queue.testing.inline import InlineWorker


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the setting."""
    parser.addini("dq_app", "The DistributedQ application that the fixtures use: module:name")


@pytest.fixture
def dq_app(pytestconfig: pytest.Config) -> DistributedQ:
    """The application under test. Override it, or name it in the setting ``dq_app``."""
    module, _, name = str(pytestconfig.getini("dq_app")).partition(":")
    if not module:
        pytest.fail("Which application? Override the fixture dq_app, or set dq_app = module:name", pytrace=False)
    found: DistributedQ = getattr(import_module(module), name or "app")
    return found


@pytest.fixture
def dq_worker(dq_app: DistributedQ) -> Iterator[InlineWorker]:
    """An ``InlineWorker``: what is submitted in the test stays in memory, and runs when the test says so."""
    from distributed_queue.testing.inline import InlineWorker  # noqa: PLC0415 - not before somebody uses it

    with InlineWorker(dq_app) as worker:
        yield worker


class VirtualClock:
    """The time that tasks see. It stands still until it is moved."""

    def __init__(self, worker: InlineWorker) -> None:
        self._worker = worker

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._worker.clock.now()

    def advance(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0) -> None:
        """Move it on, and run what becomes due on the way, each task at its time."""
        self._worker.advance(seconds, minutes=minutes, hours=hours, days=days)


@pytest.fixture
def dq_clock(dq_worker: InlineWorker) -> VirtualClock:
    """The time of the tasks: ``dq_clock.advance(hours=3)`` runs what becomes due, without a wait."""
    return VirtualClock(dq_worker)


@pytest.fixture
def dq_storage(dq_worker: InlineWorker) -> FaultyStorage:
    """The storage in memory, which can be made to fail: ``dq_storage.fail("enqueue")``."""
    return dq_worker.storage


@pytest.fixture
def assert_submitted(dq_worker: InlineWorker) -> Callable[..., Task]:
    """``assert_submitted(function, **arguments)``: the task that has these arguments; fails where there is none."""
    return dq_worker.assert_submitted


@pytest.fixture
def assert_not_submitted(dq_worker: InlineWorker) -> Callable[[Any], None]:
    """``assert_not_submitted(function)``: fails where a task of the function was submitted."""
    return dq_worker.assert_not_submitted
