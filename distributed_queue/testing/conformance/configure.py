"""A queue's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.storage import QueueConfig
from distributed_queue.errors import ConfigurationError, InvalidQueueName
from distributed_queue.testing.builders import Q
from distributed_queue.testing.steps import enqueue, events, stats

if TYPE_CHECKING:
    from distributed_queue.core.storage import Storage

SETTINGS: dict[str, object] = {
    "max_size": 10,
    "rate_limit": 2.5,
    "rate_burst": 3,
    "concurrency": 4,
    "paused": True,
    "max_crashes": 7,
    "retention_seconds": 0.5,
    "retention_count": 0,
    "journal": False,
    "journal_max_bytes": 1000,
    "journal_max_age": 60.0,
}
WRONG: list[dict[str, object]] = [
    {"colour": "red"},
    {"max_size": -1},
    {"max_size": "many"},
    {"max_size": 1.5},
    {"rate_limit": 0},
    {"rate_limit": float("nan")},
    {"rate_burst": 0},
    {"concurrency": -1},
    {"paused": "yes"},
    {"paused": None},
    {"max_crashes": 0},
    {"retention_seconds": -1},
    {"retention_count": None},
    {"journal": 1},
    {"journal_max_age": 0},
]


class TestConfigure:
    """``configure``."""

    def test_a_new_queue_has_the_default_settings(self, storage: Storage) -> None:
        assert storage.configure(Q, {}) == QueueConfig()

    def test_an_empty_change_makes_the_queue(self, storage: Storage) -> None:
        storage.configure(Q, {})
        assert storage.queues() == (Q,)
        assert events(storage) == []

    def test_all_settings_are_kept(self, storage: Storage, second_storage: Storage) -> None:
        assert set(SETTINGS) == set(QueueConfig.__struct_fields__)
        expected = QueueConfig(**SETTINGS)  # type: ignore[arg-type]  # the values of a table
        assert storage.configure(Q, SETTINGS) == expected
        assert storage.configure(Q, {}) == expected
        assert second_storage.configure(Q, {}) == expected
        assert stats(second_storage).config == expected

    @pytest.mark.parametrize("name", SETTINGS)
    def test_one_setting_changes_alone(self, storage: Storage, name: str) -> None:
        change = {name: SETTINGS[name]}
        assert storage.configure(Q, change) == QueueConfig(**change)  # type: ignore[arg-type]  # the values of a table
        assert storage.configure(Q, {}) == QueueConfig(**change)  # type: ignore[arg-type]  # the values of a table

    def test_changes_add_up(self, storage: Storage) -> None:
        storage.configure(Q, {"max_size": 5})
        storage.configure(Q, {"concurrency": 2})
        assert storage.configure(Q, {"max_size": None}) == QueueConfig(concurrency=2)

    @pytest.mark.parametrize("change", WRONG, ids=str)
    def test_a_wrong_change_is_refused_and_nothing_changed(self, storage: Storage, change: dict[str, object]) -> None:
        before = storage.configure(Q, {"max_size": 5})
        with pytest.raises(ConfigurationError):
            storage.configure(Q, {"concurrency": 3, **change})
        assert storage.configure(Q, {}) == before
        assert storage.journal_tail(Q) == 1

    @pytest.mark.parametrize("queue", ["", "a b", "x" * 101])
    def test_a_bad_queue_name_is_refused(self, storage: Storage, queue: str) -> None:
        with pytest.raises(InvalidQueueName):
            storage.configure(queue, {})
        assert storage.queues() == ()

    def test_queues_have_their_own_settings(self, storage: Storage) -> None:
        storage.configure("a", {"max_size": 5})
        enqueue(storage, "t1", queue="b")
        assert stats(storage, "b").config == QueueConfig()
