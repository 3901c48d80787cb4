"""A guard against losses of speed, which works on any machine, and on one that does other things meanwhile.

What is compared is processor time for each task, of client, worker and storage together, as a multiple of what the raw
figure took in the same run; of room, the bytes themselves, which are the same everywhere. Less is better.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.figures import Figure

TOLERANCE = 1 / 3
"""What may be lost without an alarm: processors differ, and measurements too."""
ROOM = frozenset({"bytes"})

Expected = dict[str, float]
"""Multiples, and bytes, by engine and figure."""


def costs(figures: list[Figure]) -> Expected:
    """All that can be compared between machines."""
    raw = {(figure.storage, figure.name): figure for figure in figures}
    found: Expected = {}
    for figure in figures:
        name = f"{figure.storage}: {figure.name}"
        reference = raw.get((figure.storage, figure.reference))
        if reference is not None and _processor(figure) and _processor(reference):
            found[name] = _processor(figure) / _processor(reference)
        elif figure.unit in ROOM and figure.storage != "memory":
            found[name] = figure.value
    return found


def losses(figures: list[Figure], expected: Expected) -> list[str]:
    """A line for each figure that is worse than expected by more than ``TOLERANCE``; those not measured are skipped."""
    return [
        f"{name}: {now:.3g}, expected {expected[name]:.3g}"
        for name, now in costs(figures).items()
        if name in expected and expected[name] / now < 1 - TOLERANCE
    ]


def read(path: Path) -> Expected:
    """Read what ``write`` wrote."""
    expected: Expected = json.loads(path.read_text())
    return expected


def write(path: Path, figures: list[Figure]) -> None:
    """Keep the costs, with as many digits as mean something."""
    rounded = {name: float(f"{value:.3g}") for name, value in sorted(costs(figures).items())}
    path.write_text(json.dumps(rounded, indent=2) + "\n")


def _processor(figure: Figure) -> float:
    return sum(each for each in figure.cpu if each is not None)
