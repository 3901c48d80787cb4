"""The benchmarks run, and their figures are of the right kind; how high they are is not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.tests.conftest import ENGINES
from distributed_queue.tests.meta.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCENARIOS = {"process", "enqueue", "raw", "latency", "memory"}


@pytest.fixture(params=ENGINES)
def report(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """What a quick run on one engine wrote."""
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--storage", request.param, "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "processed, one worker process" in done.stdout
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_every_scenario_gives_figures_with_the_circumstances(report: dict[str, Any]) -> None:
    assert {figure["scenario"] for figure in report["figures"]} == SCENARIOS
    assert all(figure["value"] > 0 for figure in report["figures"])
    assert report["versions"]["distributedq"]
    assert report["machine"]["cores"] >= 1
    assert report["command"].startswith("python -m benchmarks --quick")

    figures = {figure["name"]: figure for figure in report["figures"]}
    assert figures["enqueued, one by one"]["ratio"] > 0
    assert figures["processed, one worker process"]["cpu"]["worker"] > 0
    assert figures["latency, idle, 99 %"]["value"] >= figures["latency, idle, median"]["value"]
