"""Whole systems of real processes, broken at random: nothing acknowledged is lost, and nothing counts twice."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from distributed_queue.testing.campaign import Plan, run
from distributed_queue.testing.proof.violations import Check

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.testing.campaign.report import RoundReport

pytestmark = [pytest.mark.timeout(300), pytest.mark.chaos]

CARDS = {"memory": 8, "sqlite": 10, "redis": 25}
"""So many faults have every kind among them: a pack is dealt to its end before it is shuffled again."""


def one_round(plan: Plan, folder: Path) -> RoundReport:
    (report,) = run(plan, folder, [0])
    return report


@pytest.mark.parametrize("engine", CARDS)
def test_a_campaign_of_every_kind_of_fault_breaks_no_promise(engine: str, tmp_path: Path) -> None:
    plan = Plan(
        engine,
        seed=3,
        round_seconds=120.0,
        faults=CARDS[engine],
        workers=2,
        producers=2,
        rate=400.0,
        lease_seconds=1.0,
        pause_seconds=0.15,
        hostile_every=250,
        resume_seconds=60.0,
        recovery_seconds=20.0,
    )
    report = one_round(plan, tmp_path)
    assert report.ok, (report.line(), report.proof.violations)
    assert {kind for kind, times in report.faults.items() if not times} <= report.missing.keys()
    assert report.proof.acknowledged > 100


def test_the_loss_of_a_redis_without_aof_is_noticed(tmp_path: Path) -> None:
    plan = Plan(
        "redis",
        round_seconds=60.0,
        faults=1,
        only=("redis killed",),
        workers=1,
        producers=1,
        rate=300.0,
        hostile_every=10**9,
        options={"appendfsync": "off"},
    )
    assert one_round(plan, tmp_path).proof.counts[Check.LOST]


@pytest.mark.parametrize("engine", ["sentinel", "cluster"])
def test_nothing_is_lost_when_a_primary_is_cut_off(engine: str, tmp_path: Path) -> None:
    """By itself, as it takes a network namespace of its own; where it is not given one it says so."""
    kinds = ["primary cut off", "primary cut off from its peers", "replica killed"]
    command = [
        *(sys.executable, "-m", "distributed_queue.testing.campaign", f"--engine={engine}", "--minutes=2", "--seed=4"),
        *("--round-seconds=120", "--faults=3", "--pause=1", "--rate=300", "--workers=1", "--producers=1"),
        *("--hostile-every=1000000", "--resume-seconds=60", f"--keep={tmp_path / 'kept'}"),
        *(f"--only={kind}" for kind in kinds),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["totals"]["acknowledged"] > 100
    assert {kind for kind in kinds if not report["faults"].get(kind)} == report["not_available_on_this_machine"].keys()
