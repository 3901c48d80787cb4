from __future__ import annotations

import pytest

from distributed_queue.core.durability import Demand, Durability, Promise, check_promise, read_demand
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.errors import ConfigurationError, InvalidStorageURL, StorageIncompatible

NONE, STANDARD, DURABLE, REPLICATED = Durability


def test_the_profiles_have_an_order() -> None:
    assert [str(profile) for profile in Durability] == ["none", "standard", "durable", "replicated"]
    assert all(profile.includes(profile) for profile in Durability)
    assert REPLICATED.includes(NONE)
    assert not STANDARD.includes(DURABLE)


@pytest.mark.parametrize(
    ("url", "argument", "rest", "demand"),
    [
        ("memory://", None, "memory://", None),
        ("sqlite:///a.db?synchronous=normal", None, "sqlite:///a.db?synchronous=normal", None),
        ("redis://h/0?durability=durable", None, "redis://h/0", Demand(DURABLE)),
        ("redis://h?db=1&durability=none&ssl_x=y", None, "redis://h?db=1&ssl_x=y", Demand(NONE)),
        ("redis://h?durability=replicated&replicas=2", None, "redis://h", Demand(REPLICATED, 2)),
        ("redis://h?replicas=3", None, "redis://h", Demand(REPLICATED, 3)),
        ("redis://h", "standard", "redis://h", Demand(STANDARD)),
        ("redis://h", DURABLE, "redis://h", Demand(DURABLE)),
        ("redis://h?durability=standard", "durable", "redis://h", Demand(DURABLE)),
        ("redis://h?durability=durable", "standard", "redis://h", Demand(DURABLE)),
    ],
)
def test_a_demand_is_read_from_url_and_argument(
    url: str, argument: str | None, rest: str, demand: Demand | None
) -> None:
    assert read_demand(url, argument) == (rest, demand)


@pytest.mark.parametrize("query", ["durability=", "durability=full", "replicas=0", "replicas=x", "replicas=101"])
def test_a_url_that_demands_nonsense_is_refused(query: str) -> None:
    with pytest.raises(InvalidStorageURL, match="it is"):
        read_demand(f"redis://h?{query}")


def test_an_argument_that_is_no_profile_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="one of none, standard, durable, replicated"):
        HybridQueue(durability="eternal")


@pytest.mark.parametrize("demanded", Durability)
@pytest.mark.parametrize("profile", [*Durability, None])
def test_less_than_demanded_or_unknown_is_refused(profile: Durability | None, demanded: Durability) -> None:
    promise = Promise(profile, "It survives much.", {demanded: "Change this."})
    met = profile is not None and profile.includes(demanded)
    assert bool(promise.falls_short(Demand(demanded))) is not met
    if not met:
        with pytest.raises(StorageIncompatible, match=f"durability={demanded} is demanded.*Change this"):
            check_promise(promise, Demand(demanded), "redis://h")


def test_memory_is_refused_where_tasks_have_to_last() -> None:
    with pytest.raises(StorageIncompatible, match="sqlite:///"):
        HybridQueue(durability="standard")
    with HybridQueue(durability="none") as queue:
        assert queue.health().profile == "none"


@pytest.mark.parametrize(("synchronous", "profile"), [("full", "durable"), ("normal", "standard")])
def test_a_sqlite_file_tells_how_it_is_written(sqlite_url: str, synchronous: str, profile: str) -> None:
    with HybridQueue.from_url(f"{sqlite_url}?synchronous={synchronous}&durability=standard") as queue:
        assert queue.health().profile == profile
        assert f"synchronous={synchronous.upper()}" in queue.health().durability


def test_a_sqlite_file_that_is_written_too_lightly_is_refused(sqlite_url: str) -> None:
    with pytest.raises(StorageIncompatible, match=r"Leave \?synchronous=normal out"):
        HybridQueue.from_url(f"{sqlite_url}?synchronous=normal", durability="durable")
    with HybridQueue.from_url(sqlite_url, durability="durable"):
        pass
