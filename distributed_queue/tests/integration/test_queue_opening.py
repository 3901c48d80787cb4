"""Opening a queue: its options, and storages that cannot be opened."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue, StorageBackend
from distributed_queue.errors import ConfigurationError, InvalidQueueName, InvalidStorageURL, StorageUnavailable
from distributed_queue.testing.servers import free_port
from distributed_queue.tests.steps import put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"max_size": -1}, "max_size"),
            ({"max_size": 1.5}, "max_size"),
            ({"max_size": "many"}, "max_size"),
            ({"rate_limit": 0}, "rate_limit"),
            ({"rate_limit": -5}, "rate_limit"),
            ({"rate_limit": float("nan")}, "rate_limit"),
            ({"visibility_timeout": 0}, "visibility_timeout"),
            ({"visibility_timeout": -1}, "visibility_timeout"),
            ({"visibility_timeout": float("inf")}, "visibility_timeout"),
            ({"visibility_timeout": None}, "visibility_timeout"),
            ({"visibility_timeout": "long"}, "visibility_timeout"),
            ({"max_body_bytes": 0}, "max_body_bytes"),
            ({"queues": []}, "queues"),
            ({"queues": "mail"}, "queues"),
            ({"colour": "red"}, "colour"),
            ({"concurrency": "two"}, "concurrency"),
            ({"backend": "oracle"}, "oracle"),
        ],
    )
    def test_a_wrong_option_is_refused_by_name(self, options: dict[str, Any], named: str) -> None:
        with pytest.raises(ConfigurationError, match=named):
            HybridQueue(**options)

    @pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 101, None])
    def test_a_wrong_queue_name_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidQueueName):
            HybridQueue(queues=[name])

    def test_a_backend_may_be_named_in_text(self) -> None:
        with HybridQueue("memory") as queue:
            assert queue.health_check()["engine"] == "memory"

    def test_settings_of_the_queue_are_options_too(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, concurrency=3, retention_seconds=60.0) as queue:
            put(queue, queue="other")
            assert {stats.queue: stats.config.concurrency for stats in queue.queue_stats()} == {
                "default": 3,
                "other": 3,
            }

    def test_limits_hold_for_the_queues_that_it_only_takes_from(self, storage_url: str) -> None:
        with HybridQueue.from_url(storage_url, queues=["mail"], rate_limit=5) as queue:
            assert [stats.config.rate_limit for stats in queue.queue_stats("mail")] == [5]

    def test_what_is_not_given_stays_as_the_storage_has_it(self, shared_url: str) -> None:
        with HybridQueue.from_url(shared_url, max_size=7) as first, HybridQueue.from_url(shared_url) as second:
            assert second.get_stats()["max_size"] == 7
            second.configure(max_size=8)
            assert first.get_stats()["max_size"] == 8


class TestWrongURLs:
    @pytest.mark.parametrize(
        "url",
        [
            "nonsense",
            "",
            "mongodb://localhost/1",
            "://",
            "redis:localhost",
            "memory://somewhere",
            "redis://localhost:port/0",
            "redis://localhost/zero",
            "sqlite://relative.db",
        ],
    )
    def test_a_url_that_cannot_be_understood_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidStorageURL):
            HybridQueue.from_url(url)

    def test_the_message_names_the_schemes_and_hides_the_password(self) -> None:
        with pytest.raises(InvalidStorageURL, match="sqlite://") as caught:
            HybridQueue.from_url("mysql://me:s3cret@host/db")
        assert "s3cret" not in str(caught.value)

    def test_an_engine_that_is_not_there_yet_is_refused_in_words(self) -> None:
        with pytest.raises(InvalidStorageURL, match="postgresql"):
            HybridQueue(StorageBackend.POSTGRES)


class TestStorageThatCannotBeReached:
    def test_a_refused_connection_is_an_error_with_place_and_cause(self) -> None:
        port = free_port()
        self._check(f"redis://me:s3cret@127.0.0.1:{port}/0", f"127.0.0.1:{port}", "refused")

    def test_a_server_that_does_not_answer_is_an_error_with_place_and_cause(self, deaf_port: int) -> None:
        self._check(f"redis://me:s3cret@127.0.0.1:{deaf_port}/0", f"127.0.0.1:{deaf_port}", "does not answer")

    def test_a_file_that_cannot_be_made_is_an_error_with_place_and_cause(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("no folder")
        self._check(f"sqlite:///{tmp_path}/file/queue.db", "file/queue.db", "")

    @staticmethod
    def _check(url: str, place: str, cause: str) -> None:
        begin = time.monotonic()
        with pytest.raises(StorageUnavailable) as caught:
            HybridQueue.from_url(url)
        assert time.monotonic() - begin < 5.0
        assert place in str(caught.value)
        assert cause in str(caught.value).lower()
        assert "s3cret" not in str(caught.value) + caught.value.url
