"""Simulated systems keep every promise; with a rule broken on purpose they are seen to break it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.registry import open_storage
from distributed_queue.testing.proof.bugs import BUGS, Bug
from distributed_queue.testing.proof.simulation import Simulation, simulate

if TYPE_CHECKING:
    from distributed_queue.testing.proof import Report
    from distributed_queue.testing.proof.records import Record

SEEDS_FOR_A_BUG = 12


def report_of(url: str, seed: int, steps: int = 600) -> Report:
    clock = ManualClock()
    storage = open_storage(url, clock)
    try:
        return simulate(storage, clock, seed, steps)
    finally:
        storage.close()


def history_of(url: str, seed: int) -> list[Record]:
    clock = ManualClock()
    storage = open_storage(url, clock)
    try:
        simulation = Simulation(storage, clock, seed)
        simulation.run(600)
    finally:
        storage.close()
    return simulation.history.records


@pytest.mark.parametrize("seed", range(10))
def test_every_promise_is_kept(seed: int, storage_url: str) -> None:
    report = report_of(storage_url, seed)
    assert report.ok, report.violations
    assert report.tasks > 100


@pytest.mark.parametrize("seed", range(100, 104))
def test_a_seed_is_the_same_run_on_every_engine(seed: int, storage_url: str) -> None:
    assert history_of(storage_url, seed) == history_of("memory://", seed)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_is_caught(bug: Bug) -> None:
    caught = set()
    with bug.planted():
        for seed in range(SEEDS_FOR_A_BUG):
            caught |= set(report_of("memory://", seed).counts)
            if caught & bug.caught_by:
                return
    pytest.fail(f"{bug.name} was not caught as {bug.caught_by}; seen: {caught or 'nothing'}")


def test_there_are_enough_seeded_bugs() -> None:
    assert len(BUGS) >= 30
