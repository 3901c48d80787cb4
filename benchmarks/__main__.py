"""The command line: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from benchmarks import end_in_order
from benchmarks.figures import summarize
from benchmarks.load import Scale
from benchmarks.page import circumstances_table, fill
from benchmarks.places import NAMES, UNSYNCED, open_places
from benchmarks.report import conditions, markdown, read_json, table, write_json
from benchmarks.scenarios import SCENARIOS, SYNCING

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
    parser.add_argument(
        "--from", dest="earlier", type=Path, nargs="+", metavar="FILE", help="measure nothing: take it from there"
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scenario if name not in SCENARIOS]
    if unknown:
        parser.error(f"{unknown[0]!r} is not one of {', '.join(SCENARIOS)}")
    return options


def run(plan: list[tuple[str, Place]], rounds: int, scale: Scale, console: Console) -> list[Figure]:
    """Measure everything in turn, several times: what disturbs the machine for a while disturbs all alike."""
    samples: dict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("", total=rounds * len(plan))
        for number in range(1, rounds + 1):
            for scenario, place in plan:
                progress.update(bar, description=f"round {number} of {rounds}: {scenario} on {place.name}")
                for sample in SCENARIOS[scenario](place, scale):
                    samples[place.name, scenario, sample.figure].append(sample)
                progress.advance(bar)
    return [summarize(storage, scenario, found) for (storage, scenario, _), found in samples.items()]


def measured(options: argparse.Namespace) -> tuple[list[Figure], dict[str, Any]]:
    """The figures, and the circumstances."""
    everything = not options.engine or "all" in options.engine
    rounds, scale = (1, Scale(QUICK_FACTOR)) if options.quick else (options.rounds, Scale(options.scale))
    circumstances = conditions("benchmarks", rounds)
    with open_places(list(NAMES) if everything else options.engine) as places:
        plan = [
            (scenario, place)
            for scenario in options.scenario or SCENARIOS
            for place in places
            if not everything or place.name != UNSYNCED or scenario in SYNCING
        ]
        figures = run(plan, rounds, scale, Console(stderr=True))
    return figures, {**circumstances, "settings": {place.name: place.settings for place in places}}


def main() -> None:
    """Measure, print, write."""
    end_in_order()
    options = parse(sys.argv[1:])
    figures, circumstances = read_json(options.earlier) if options.earlier else measured(options)
    console = Console(width=None if sys.stdout.isatty() else 150)
    tables = []
    for name, settings in circumstances["settings"].items():
        its_own = [figure for figure in figures if figure.storage == name]
        tables.append(markdown(f"{name}: {settings}", its_own))
        console.print(table(f"{name}: {settings}", its_own))
    machine = circumstances["machine"]
    console.print(f"{circumstances['date']}, {machine['processor']}, {machine['cores']} cores")
    if options.json:
        write_json(options.json, figures, circumstances)
    if options.page:
        fill(options.page, {"circumstances": circumstances_table(circumstances), "figures": "\n".join(tables)})
    if options.plots:
        from benchmarks.plots import draw_curves  # noqa: PLC0415 - a second to load, which few runs need

        draw_curves(figures, options.plots)


if __name__ == "__main__":
    main()
