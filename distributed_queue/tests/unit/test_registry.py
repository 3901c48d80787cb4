from __future__ import annotations

from importlib import import_module

import pytest

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.registry import ENGINES, open_storage, without_password
from distributed_queue.core.storage import Storage
from distributed_queue.errors import InvalidStorageURL, MissingDependency


def test_a_storage_is_opened_by_its_url(storage_url: str) -> None:
    storage = open_storage(storage_url)
    assert isinstance(storage, Storage)
    assert storage.url == storage_url
    storage.close()


def test_a_clock_can_be_handed_in() -> None:
    clock = ManualClock(5.0)
    storage = open_storage("memory://", clock)
    storage.configure("q", {"paused": True})
    assert storage.journal("q", 0, 1)[0].at == 5.0


@pytest.mark.parametrize("target", {target for target, _ in ENGINES.values()})
def test_every_engine_has_the_constructor_that_is_called(target: str) -> None:
    module_name, _, class_name = target.partition(":")
    engine = getattr(import_module(module_name), class_name)
    assert issubclass(engine, Storage)
    assert callable(engine.from_url)


@pytest.mark.parametrize("url", ["", "memory", "nosuch://host", "http://x", "://", "redis:/host"])
def test_a_url_that_no_engine_serves_is_refused_with_those_that_are(url: str) -> None:
    with pytest.raises(InvalidStorageURL, match="redis://"):
        open_storage(url)


def test_an_error_does_not_show_the_password() -> None:
    with pytest.raises(InvalidStorageURL) as caught:
        open_storage("nosuch://user:secret@host")
    assert "secret" not in str(caught.value)
    assert "user" in str(caught.value)


def test_a_missing_package_is_named_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "other", ("no_such_package.engine:Engine", "other"))
    with pytest.raises(MissingDependency) as caught:
        open_storage("other://host")
    assert caught.value.extra == "other"


def test_a_broken_engine_is_not_taken_for_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "other", ("distributed_queue.storage.no_such_engine:Engine", "other"))
    with pytest.raises(ModuleNotFoundError):
        open_storage("other://host")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://user@host/0", "redis://user@host/0"),
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://user:secret@host/0?a=b", "redis://user:***@host/0?a=b"),
        ("redis://user:p@ss@host/0", "redis://user:***@host/0"),
        ("redis://user:secret@[::1]:6379/0", "redis://user:***@[::1]:6379/0"),
        ("redis://host/0?password=secret&db=1", "redis://host/0?password=***&db=1"),
        ("redis://host/0?a=b&SSL_Password=secret", "redis://host/0?a=b&SSL_Password=***"),
        ("redis://host/0?token=secret", "redis://host/0?token=***"),
        ("sqlite:////data/queue.db", "sqlite:////data/queue.db"),
        ("sqlite:///relative.db?synchronous=off", "sqlite:///relative.db?synchronous=off"),
        ("redis://user:secret@[host", "redis://…"),
        ("memory://", "memory://"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_password(url) == shown
