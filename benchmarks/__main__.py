"""The command line: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from benchmarks.figures import summarize
from benchmarks.load import Scale
from benchmarks.places import NAMES, open_places
from benchmarks.report import conditions, markdown, table, write_json
from benchmarks.scenarios import SCENARIOS

if TYPE_CHECKING:
    from benchmarks.figures import Figure, Sample
    from benchmarks.places import Place

ROUNDS = 3
QUICK_FACTOR = 0.02


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed and cost on this machine.")
    parser.add_argument("--storage", action="append", choices=[*NAMES, "all"], help="may be repeated; default: all")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="may be repeated; default: all")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"interleaved; their median counts (default {ROUNDS})"
    )
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works")
    parser.add_argument("--markdown", action="store_true", help="print the tables for a document")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured there")
    return parser.parse_args(arguments)


def run(places: list[Place], scenarios: list[str], rounds: int, scale: Scale, console: Console) -> list[Figure]:
    """Measure everything in turn, several times: what disturbs the machine for a while disturbs all alike."""
    samples: dict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("", total=rounds * len(scenarios) * len(places))
        for number in range(1, rounds + 1):
            for place in places:
                for scenario in scenarios:
                    progress.update(bar, description=f"round {number} of {rounds}: {scenario} on {place.name}")
                    for sample in SCENARIOS[scenario](place, scale):
                        samples[place.name, scenario, sample.figure].append(sample)
                    progress.advance(bar)
    return [summarize(storage, scenario, found) for (storage, scenario, _), found in samples.items()]


def main() -> None:
    """Measure, print, write."""
    options = parse(sys.argv[1:])
    names = list(NAMES) if not options.storage or "all" in options.storage else options.storage
    rounds, scale = (1, Scale(QUICK_FACTOR)) if options.quick else (options.rounds, Scale(1))
    circumstances = conditions("benchmarks")
    with open_places(names) as places:
        figures = run(places, options.scenario or list(SCENARIOS), rounds, scale, Console(stderr=True))
    console = Console(width=None if sys.stdout.isatty() else 120)
    for place in places:
        its_own = [figure for figure in figures if figure.storage == place.name]
        if options.markdown:
            print(markdown(place, its_own))
        else:
            console.print(table(place, its_own))
    machine = circumstances["machine"]
    console.print(f"{circumstances['date']}, {machine['processor']}, {machine['cores']} cores, medians of {rounds}")
    if options.json:
        write_json(options.json, rounds, figures, circumstances)


if __name__ == "__main__":
    main()
