"""The command line: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from benchmarks.expected import losses, read, write
from benchmarks.figures import summarize
from benchmarks.load import Scale
from benchmarks.page import circumstances_table, fill
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
    parser.add_argument("scenario", nargs="*", help=f"default: all of {', '.join(SCENARIOS)}")
    parser.add_argument("--engine", action="append", choices=[*NAMES, "all"], help="may be repeated; default: all")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"interleaved; their median counts (default {ROUNDS})"
    )
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="how much of everything (default 1)")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables into that document")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured there")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the curves there, as SVG")
    parser.add_argument("--check", type=Path, metavar="FILE", help="fail where a ratio has fallen by over a third")
    parser.add_argument("--expect", type=Path, metavar="FILE", help="write the ratios that --check compares with")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scenario if name not in SCENARIOS]
    if unknown:
        parser.error(f"{unknown[0]!r} is not one of {', '.join(SCENARIOS)}")
    return options


def run(places: list[Place], scenarios: list[str], rounds: int, scale: Scale, console: Console) -> list[Figure]:
    """Measure everything in turn, several times: what disturbs the machine for a while disturbs all alike."""
    samples: dict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("", total=rounds * len(scenarios) * len(places))
        for number in range(1, rounds + 1):
            for scenario in scenarios:
                for place in places:
                    progress.update(bar, description=f"round {number} of {rounds}: {scenario} on {place.name}")
                    for sample in SCENARIOS[scenario](place, scale):
                        samples[place.name, scenario, sample.figure].append(sample)
                    progress.advance(bar)
    return [summarize(storage, scenario, found) for (storage, scenario, _), found in samples.items()]


def main() -> None:
    """Measure, print, write, compare."""
    options = parse(sys.argv[1:])
    names = list(NAMES) if not options.engine or "all" in options.engine else options.engine
    rounds, scale = (1, Scale(QUICK_FACTOR)) if options.quick else (options.rounds, Scale(options.scale))
    circumstances = conditions("benchmarks", rounds)
    with open_places(names) as places:
        figures = run(places, options.scenario or list(SCENARIOS), rounds, scale, Console(stderr=True))
    console = Console(width=None if sys.stdout.isatty() else 150)
    for place in places:
        its_own = [figure for figure in figures if figure.storage == place.name]
        console.print(table(place, its_own))
    machine = circumstances["machine"]
    console.print(f"{circumstances['date']}, {machine['processor']}, {machine['cores']} cores, medians of {rounds}")
    if options.json:
        write_json(options.json, figures, circumstances)
    if options.page:
        tables = "\n".join(markdown(place, [f for f in figures if f.storage == place.name]) for place in places)
        fill(options.page, {"circumstances": circumstances_table(circumstances), "figures": tables})
    if options.plots:
        from benchmarks.plots import draw_curves  # noqa: PLC0415 - a second to load, which few runs need

        draw_curves(figures, options.plots)
    if options.expect:
        write(options.expect, figures)
    if options.check:
        _check(figures, options.check)


def _check(figures: list[Figure], path: Path) -> None:
    """Say what was lost, and fail if anything was."""
    found = losses(figures, read(path))
    for loss in found:
        print(loss)
    print("Nothing was lost." if not found else f"{len(found)} figures are worse by more than a third.")
    if found:
        sys.exit(1)


if __name__ == "__main__":
    main()
