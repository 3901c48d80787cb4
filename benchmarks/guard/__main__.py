"""The command line: ``python -m benchmarks.guard``, which ``make bench-check`` runs."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import end_in_order
from benchmarks.guard.counting import CountedRedis, count_module, keep_bytecode
from benchmarks.guard.steps import FILLING, STEPS
from benchmarks.places import open_places
from benchmarks.scenarios.memory import growth

if TYPE_CHECKING:
    from collections.abc import Iterable

EXPECTED = Path(__file__).with_name("expected.json")
TOLERANCE = 0.15
"""What may be lost without an alarm."""
ENGINES = ("memory", "sqlite", "redis")
COUNT = 2_000
ROOM_COUNT = 20_000

Costs = dict[str, float]
"""Instructions, or bytes, by what they are for."""


def main() -> None:
    """Count, and compare with what is expected; or write that down."""
    parser = argparse.ArgumentParser(
        prog="make bench-check", description="Count instructions for each task, and fail where they have grown."
    )
    parser.add_argument("--write", action="store_true", help="take what is counted now for what is expected")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="may be repeated; default: all")
    options = parser.parse_args()
    end_in_order()
    made_with = versions()
    if not options.write:
        expected = json.loads(EXPECTED.read_text())
        if expected["made with"] != made_with:
            sys.exit(f"{EXPECTED.name} was made with {expected['made with']}, here are {made_with}. {_ADVICE}")
    costs = measure(options.engine or ENGINES)
    if options.write:
        EXPECTED.write_text(json.dumps({"made with": made_with, "costs": costs}, indent=2) + "\n")
        return
    for name, cost in costs.items():
        print(f"{name:40} {cost:15,.0f}  {cost / expected['costs'][name] - 1:+7.1%}")
    lost = losses(costs, expected["costs"])
    print("\n".join(lost) or "Nothing was lost.")
    sys.exit(1 if lost else 0)


_ADVICE = "Count on a version that is known to be good first: make bench-check ARGS=--write"


def losses(costs: Costs, expected: Costs) -> list[str]:
    """A line for each cost that has grown by more than ``TOLERANCE``."""
    return [
        f"{name}: {cost:,.0f}, expected {expected[name]:,.0f}"
        for name, cost in costs.items()
        if cost > expected[name] * (1 + TOLERANCE)
    ]


def versions() -> dict[str, str]:
    """What the instructions depend on, beside our code."""
    command = ["redis-server", "--version"]
    server = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    number = next(word[2:] for word in server.split() if word.startswith("v="))
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "redis-server": ".".join(number.split(".")[:2]),
        "machine": platform.machine(),
    }


def measure(engines: Iterable[str]) -> Costs:
    """All costs, two runs at a time."""
    keep_bytecode()
    with tempfile.TemporaryDirectory(prefix="guard-") as folder, ThreadPoolExecutor(2) as threads:
        counts = {
            (engine, step): threads.submit(_count, engine, step, Path(folder, f"{engine}-{step}"))
            for engine in engines
            for step in STEPS
        }
        costs: Costs = {}
        for engine in engines:
            costs |= _per_task(engine, {step: counts[engine, step].result() for step in STEPS})
    with open_places([engine for engine in engines if engine != "memory"]) as places:
        for place in places:
            costs[f"{place.name}: bytes per queued task"] = round(growth(place, ROOM_COUNT, journal=True) / ROOM_COUNT)
    return costs


def _count(engine: str, step: str, folder: Path) -> dict[str, int]:
    """Instructions of the program that takes a step, and of the server."""
    folder.mkdir()
    count = "0" if step == "open" else str(COUNT)
    if engine != "redis":
        url = "memory://" if engine == "memory" else f"sqlite:///{folder / 'tasks.db'}"
        return {"program": count_module("benchmarks.guard.steps", url, step, count, folder=folder)}
    server = CountedRedis(folder)
    with server.counted() as counts:
        program = count_module("benchmarks.guard.steps", server.url, step, count, folder=folder)
    return {"program": program, "server": counts[0]}


def _per_task(engine: str, counts: dict[str, dict[str, int]]) -> Costs:
    costs: Costs = {f"{engine}: start, program": counts["open"]["program"]}
    for step in STEPS:
        before = counts["put_many" if step in FILLING else "open"]
        if step != "open":
            for process, total in counts[step].items():
                costs[f"{engine}: {step}, {process}"] = round((total - before[process]) / COUNT)
    return costs


if __name__ == "__main__":
    main()
