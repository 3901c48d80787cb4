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

SEEDS_FOR_A_BUG = 12


def report_of(url: str, seed: int, steps: int = 600) -> Report:
    clock = ManualClock()
    storage = open_storage(url, clock)
    try:
        return simulate(storage, clock, seed, steps)
    finally:
        storage.close()


@pytest.mark.parametrize("seed", range(10))
def test_every_promise_is_kept(seed: int, storage_url: str) -> None:
    report = report_of(storage_url, seed)
    assert report.ok, report.violations
    assert report.tasks > 100


def test_a_seed_repeats_its_run() -> None:
    histories = []
    for _ in range(2):
        clock = ManualClock()
        simulation = Simulation(open_storage("memory://", clock), clock, 7)
        simulation.run(300)
        histories.append(simulation.history.records)
    assert histories[0] == histories[1]


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
