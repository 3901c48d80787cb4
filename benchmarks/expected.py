"""A guard against losses of speed: what is compared are ratios, for rates are another matter on each machine.

A ratio is our figure as a multiple of something that was measured in the same run, mostly raw; of room, the bytes
themselves, which are the same everywhere.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.figures import ratio

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.figures import Figure

TOLERANCE = 1 / 3
"""What may be lost without an alarm: machines differ, and are disturbed."""
RATES = frozenset({"tasks/s"})
ROOM = frozenset({"bytes"})

Expected = dict[str, float]
"""Ratios by engine and figure."""


def ratios(figures: list[Figure]) -> Expected:
    """All that can be compared between machines."""
    found: Expected = {}
    for figure in figures:
        name = f"{figure.storage}: {figure.name}"
        times = ratio(figure, figures)
        if figure.unit in RATES and times is not None:
            found[name] = times
        elif figure.unit in ROOM and figure.storage != "memory":
            found[name] = figure.value
    return found


def losses(figures: list[Figure], expected: Expected) -> list[str]:
    """A line for each figure that is worse than expected by more than ``TOLERANCE``; those not measured are skipped."""
    found = []
    lower_is_better = {f"{figure.storage}: {figure.name}" for figure in figures if figure.unit in ROOM}
    for name, now in ratios(figures).items():
        before = expected.get(name)
        if before is None:
            continue
        kept = before / now if name in lower_is_better else now / before
        if kept < 1 - TOLERANCE:
            found.append(f"{name}: {now:.3g}, expected {before:.3g}")
    return found


def read(path: Path) -> Expected:
    """Read what ``write`` wrote."""
    expected: Expected = json.loads(path.read_text())
    return expected


def write(path: Path, figures: list[Figure]) -> None:
    """Keep the ratios, with as many digits as mean something."""
    rounded = {name: float(f"{value:.3g}") for name, value in sorted(ratios(figures).items())}
    path.write_text(json.dumps(rounded, indent=2) + "\n")
