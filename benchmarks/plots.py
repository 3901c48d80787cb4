"""Figures as pictures: the same figures give the same file."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.figures import Figure

INCHES = (6.4, 3.6)
COLOURS = {"memory": "#7a869a", "sqlite": "#2f6fde", "sqlite-normal": "#6aa3ff", "redis": "#d8412f"}
OURS, OTHERS = "#d8412f", "#9aa5b1"
STEADY: Any = {"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
"""Ids that do not change from run to run, and text that stays text."""
LOGARITHMIC_FROM = 20
"""The ratio of the largest to the smallest value from which an axis is logarithmic."""


def draw_curves(figures: list[Figure], folder: Path) -> list[Path]:
    """A picture for each curve, with a line for each storage; their files."""
    curves: dict[str, dict[str, list[Figure]]] = defaultdict(lambda: defaultdict(list))
    for figure in figures:
        if figure.point is not None:
            curves[figure.point.curve][figure.storage].append(figure)
    folder.mkdir(parents=True, exist_ok=True)
    return [_draw_curve(title, lines, folder) for title, lines in curves.items()]


def draw_bars(title: str, values: dict[str, float], ours: str, path: Path) -> None:
    """A bar for each name, the longest on top, ours in colour."""
    ordered = sorted(values.items(), key=lambda item: item[1])
    with mpl.rc_context(STEADY):
        canvas, axes = _canvas(title)
        colours = [OURS if name == ours else OTHERS for name, _ in ordered]
        bars = axes.barh([name for name, _ in ordered], [value for _, value in ordered], color=colours)
        axes.bar_label(bars, labels=[f"{value:,.0f}" for _, value in ordered], padding=3)
        axes.margins(x=0.15)
        _save(canvas, path)


def _draw_curve(title: str, lines: dict[str, list[Figure]], folder: Path) -> Path:
    path = folder / f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}.svg"
    with mpl.rc_context(STEADY):
        canvas, axes = _canvas(title)
        everything = [figure for line in lines.values() for figure in line]
        for storage, line in lines.items():
            points = sorted((figure.point.x, figure.value) for figure in line if figure.point is not None)
            xs, ys = [x for x, _ in points], [y for _, y in points]
            axes.plot(xs, ys, marker="o", label=storage, color=COLOURS.get(storage))
        xs = [figure.point.x for figure in everything if figure.point is not None]
        if max(xs) >= LOGARITHMIC_FROM * min(xs):
            axes.set_xscale("log")
        else:
            axes.set_xticks(sorted(set(xs)))
        ys = [figure.value for figure in everything]
        if max(ys) >= LOGARITHMIC_FROM * min(ys):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_ylabel(everything[0].unit)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(frameon=False)
        _save(canvas, path)
    return path


def _canvas(title: str) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=INCHES, layout="constrained")
    axes = canvas.add_subplot()
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return canvas, axes


def _save(canvas: Canvas, path: Path) -> None:
    canvas.savefig(path, format="svg", metadata={"Date": None})
