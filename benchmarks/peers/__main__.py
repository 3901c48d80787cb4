"""The command line: ``python -m benchmarks.peers --help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import end_in_order
from benchmarks.page import circumstances_table, fill
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.environments import Environment
from benchmarks.peers.goals import goals
from benchmarks.peers.report import Report, comparison, draw, read_json, settings, standing, write_json
from benchmarks.peers.run import Run
from benchmarks.report import conditions

ROUNDS = 3
MINUTES = 11.0
QUICK_SCALE = 0.25
NAMES = {peer.name.lower(): peer for peer in PEERS}


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description="Measure other task queues beside this one, on this machine."
    )
    parser.add_argument("peer", nargs="*", help=f"default: all of {', '.join(NAMES)}")
    parser.add_argument("--install", action="store_true", help="only install the peers, each in its own environment")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"interleaved; their median counts (default {ROUNDS})"
    )
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help=f"begin nothing after that (default {MINUTES:g})"
    )
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="how much of everything (default 1)")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured there")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables into that document")
    parser.add_argument("--goals", type=Path, metavar="FILE", help="write the goals, and what came of them, there")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the rates there, as SVG")
    parser.add_argument("--from", dest="earlier", type=Path, metavar="FILE", help="measure nothing: take it from there")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.peer if name not in NAMES]
    if unknown:
        parser.error(f"{unknown[0]!r} is not one of {', '.join(NAMES)}")
    return options


def measured(options: argparse.Namespace) -> Report:
    """Install and measure."""
    chosen = [NAMES[name] for name in options.peer] or list(PEERS)
    run = Run([Environment(peer) for peer in chosen], Console(stderr=True))
    run.install()
    if options.install:
        sys.exit(1 if run.missing else 0)
    rounds, scale = (1, min(QUICK_SCALE, options.scale)) if options.quick else (options.rounds, options.scale)
    circumstances = conditions("benchmarks.peers", rounds)
    run.measure(rounds, scale, options.minutes * 60)
    return Report(run.figures, run.missing, circumstances)


def main() -> None:
    """Measure, print, write."""
    end_in_order()
    options = parse(sys.argv[1:])
    report = read_json(options.earlier) if options.earlier else measured(options)
    tables = comparison(report)
    print(tables)
    if options.json:
        write_json(options.json, report)
    if options.plots:
        draw(report, options.plots)
    if options.page:
        parts = {
            "circumstances": circumstances_table(report.circumstances),
            "standing": standing(report),
            "figures": tables,
            "settings": settings(report),
        }
        fill(options.page, parts)
    if options.goals:
        fill(options.goals, {"beside": goals(report)})


if __name__ == "__main__":
    main()
