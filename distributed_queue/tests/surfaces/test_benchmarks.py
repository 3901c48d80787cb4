"""The benchmarks run, and their figures are of the right kind; how high they are is not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.figures import Cpu, Figure, Point
from benchmarks.guard.__main__ import losses
from benchmarks.guard.__main__ import main as guard
from benchmarks.guard.counting import read_total
from benchmarks.page import fill
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.environments import PINS, PROGRAMS, Environment
from benchmarks.peers.report import Report, comparison, read_json, standing, write_json
from benchmarks.plots import draw_curves
from distributed_queue.tests.conftest import ENGINES
from distributed_queue.tests.meta.repository import DOCS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

MAIN = ("process", "enqueue", "raw", "latency", "memory")
OTHERS = ("lateness", "idle", "start")
CURVES = {
    "workers": "processed-by-number-of-worker-processes",
    "children": "computed-by-number-of-child-processes",
    "queues": "processed-by-number-of-queues",
    "payload": "processed-by-size-of-the-payload",
    "backlog": "claimed-and-settled-by-backlog",
}


def measured(program: str, *arguments: str, path: Path) -> dict[str, Any]:
    """What a quick run wrote."""
    command = [sys.executable, "-m", program, *arguments, "--quick", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_the_main_scenarios_give_figures_on_every_engine(engine: str, tmp_path: Path) -> None:
    report = measured("benchmarks", *MAIN, "--engine", engine, path=tmp_path / "figures.json")

    assert {figure["scenario"] for figure in report["figures"]} == set(MAIN)
    assert all(figure["value"] > 0 for figure in report["figures"])
    assert report["versions"]["distributedq"]
    assert report["machine"]["cores"] >= 1
    assert report["command"].startswith("python -m benchmarks process")

    figures = {figure["name"]: figure for figure in report["figures"]}
    assert figures["enqueued, one by one"]["ratio"] > 0
    assert figures["processed, one worker process"]["cpu"]["worker"] > 0
    assert figures["latency, idle, 99 %"]["value"] >= figures["latency, idle, median"]["value"]


def test_every_page_of_the_dashboard_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.pages", "--quick", "--engine", "sqlite"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    pages = json.loads(done.stdout)["pages"]["sqlite"]
    assert {"overview", "tasks", "task", "queues", "workers", "dead letters", "metrics", "journal"} <= pages.keys()
    assert all(0 < times["p50"] <= times["p95"] <= times["longest"] for times in pages.values())


def test_an_observed_worker_is_measured_beside_one_that_is_not(tmp_path: Path) -> None:
    report = measured("benchmarks", "observed", "--engine", "sqlite", path=tmp_path / "figures.json")
    off, on = report["figures"]
    assert (off["name"], on["name"]) == (
        "functions that do nothing, everything off",
        "functions that do nothing, everything on",
    )
    assert on["ratio"] > 0


def test_the_other_scenarios_give_figures(tmp_path: Path) -> None:
    report = measured("benchmarks", *OTHERS, "--engine", "memory", path=tmp_path / "figures.json")
    assert {figure["scenario"] for figure in report["figures"]} == set(OTHERS)


def test_what_grows_gives_curves(tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    measured("benchmarks", *CURVES, "--engine", "memory", "--plots", str(folder), path=tmp_path / "figures.json")
    assert set(CURVES.values()) <= {path.stem for path in folder.iterdir()}


def test_rest_is_measured_next_to_an_empty_endpoint(tmp_path: Path) -> None:
    report = measured("benchmarks", "rest", "--engine", "memory", path=tmp_path / "figures.json")
    figures = {figure["name"]: figure for figure in report["figures"]}
    assert figures["REST, 1 connection"]["ratio"] > 0
    assert figures["REST, batches of 1,000"]["cpu"]["worker"] > 0


def test_we_are_measured_as_our_peers_are(tmp_path: Path) -> None:
    report = measured("benchmarks.peers", "distributedq", "--scale", "0.02", path=tmp_path / "figures.json")

    assert report["missing"] == {}
    figures = {figure["name"]: figure for figure in report["figures"]}
    assert figures["processed, 2 processes"]["value"] > 0
    assert figures["latency, idle, p99"]["value"] >= figures["latency, idle, p50"]["value"]
    assert figures["enqueued, one by one"]["cpu"]["client"] > 0
    assert figures["memory, idle worker"]["value"] > 0


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_has_its_program_and_pinned_versions(peer: Any) -> None:
    assert (PROGRAMS / peer.program).exists()
    versions = Environment(peer).versions
    if peer.name not in {"DistributedQ", "raw LPUSH"}:
        assert versions[peer.name.lower()]
        assert all(version[0].isdigit() for version in versions.values())


def test_pins_belong_to_peers() -> None:
    assert {path.stem for path in PINS.iterdir()} <= {peer.name.lower() for peer in PEERS}


def figure(name: str, value: float, unit: str = "tasks/s", point: Point | None = None) -> Figure:
    """One that was measured once."""
    return Figure("redis", "enqueue", name, unit, value, [value], Cpu(), "", point)


def test_a_task_that_takes_over_a_seventh_more_instructions_is_a_loss() -> None:
    expected = {"redis: put, server": 100_000.0, "memory: put, program": 50_000.0}
    assert losses({"redis: put, server": 114_000, "memory: put, program": 20_000}, expected) == []
    assert losses({"redis: put, server": 116_000, "memory: put, program": 20_000}, expected) == [
        "redis: put, server: 116,000, expected 100,000"
    ]


def test_what_valgrind_has_counted_is_read_from_its_log() -> None:
    assert read_total("==7== \n==7== I   refs:      3,217,845,584\n") == 3_217_845_584
    with pytest.raises(ValueError, match="has counted nothing"):
        read_total("==7== Memcheck, a memory error detector")


def test_the_guard_says_where_its_figures_do_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["guard"])
    monkeypatch.setattr("benchmarks.guard.__main__.versions", lambda: {"python": "3.99"})
    with pytest.raises(SystemExit, match=r"was made with .* Count on a version that is known to be good first"):
        guard()


def test_figures_go_where_the_document_has_a_place_for_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n<!-- figures -->\nold\n<!-- /figures -->\nThe end\n")
    fill(page, {"figures": "new"})
    assert page.read_text() == "# Title\n<!-- figures -->\n\nnew\n\n<!-- /figures -->\nThe end\n"
    with pytest.raises(ValueError, match="has no place for 'standing'"):
        fill(page, {"standing": "new"})


def test_the_documents_have_a_place_for_all_that_is_written_into_them() -> None:
    places = {
        "performance.md": ("circumstances", "figures"),
        "benchmarks.md": ("circumstances", "standing", "figures", "settings"),
    }
    for name, parts in places.items():
        content = (DOCS / name).read_text()
        assert all(f"<!-- {part} -->\n" in content and f"<!-- /{part} -->\n" in content for part in parts), name


def test_what_was_written_can_be_read_and_shows_where_we_are_behind(tmp_path: Path) -> None:
    figures = [
        figure("processed", 40_000.0)._replace(storage="DistributedQ"),
        figure("processed", 10_000.0)._replace(storage="BullMQ"),
        figure("processed", 99_000.0)._replace(storage="raw LPUSH"),
        figure("start", 0.2, "s")._replace(storage="DistributedQ"),
        figure("start", 0.1, "s")._replace(storage="arq"),
    ]
    write_json(tmp_path / "peers.json", Report(figures, {"RQ": "cannot be installed"}, {"rounds": 3}))
    report = read_json(tmp_path / "peers.json")

    rows = [line for line in standing(report).splitlines() if line.startswith(("| processed", "| start"))]
    assert rows == [
        "| processed | 40,000 | BullMQ, 10,000 | 4.00 | ahead |",
        "| start | 0.20 | arq, 0.10 | 0.50 | behind |",
    ]
    assert "- RQ: cannot be installed" in comparison(report)


def test_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    points = [figure(f"at {x}", x * 10.0, point=Point("a curve", x)) for x in (1, 2, 4)]
    (first,) = draw_curves(points, tmp_path / "first")
    (second,) = draw_curves(points, tmp_path / "second")
    assert first.name == "a-curve.svg"
    assert first.read_bytes() == second.read_bytes()
