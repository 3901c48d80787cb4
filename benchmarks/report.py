"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.figures import Cpu, Figure, Point, ratio
from distributed_queue import __version__

PACKAGES = ("msgspec", "redis", "hiredis", "apsw")
HEADINGS = ("figure", "median", "lowest", "highest", "ratio", *(f"{who} µs/task" for who in Cpu._fields))


def conditions(program: str, rounds: int) -> dict[str, Any]:
    """When, on what, and with which versions the figures of a program were taken."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "rounds": rounds,
        "command": " ".join([f"python -m {program}", *sys.argv[1:]]),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        },
        "versions": {
            "distributedq": __version__,
            "python": platform.python_version(),
            "redis-server": _redis_version(),
            **{name: metadata.version(name) for name in PACKAGES},
        },
    }


def rows(figures: list[Figure]) -> list[tuple[str, ...]]:
    """The figures of one storage as the texts under ``HEADINGS``."""
    found = []
    for figure in figures:
        times = ratio(figure, figures)
        found.append(
            (
                figure.name,
                f"{number(figure.value)} {figure.unit}",
                number(min(figure.samples)),
                number(max(figure.samples)),
                "" if times is None else f"{times:.2g}" if times < 1 else f"{times:.2f}",
                *("" if each is None else f"{each:.1f}" for each in figure.cpu),
            )
        )
    return found


def table(title: str, figures: list[Figure]) -> Table:
    """All figures of one storage, for a terminal."""
    grid = Table(title=title, title_justify="left", title_style="bold")
    grid.add_column(HEADINGS[0], no_wrap=True)
    for heading in HEADINGS[1:]:
        grid.add_column(heading.replace(" µs", "\nµs"), justify="right", no_wrap=True)
    for row in rows(figures):
        grid.add_row(*row)
    return grid


def markdown(title: str, figures: list[Figure]) -> str:
    """The same for a document."""
    lines = [HEADINGS, ("---", *["--:"] * (len(HEADINGS) - 1)), *rows(figures)]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"**{title}**\n\n{body}\n"


def write_json(path: Path, figures: list[Figure], circumstances: dict[str, Any]) -> None:
    """Write everything that was measured."""
    found = [{**figure._asdict(), "cpu": figure.cpu._asdict(), "ratio": ratio(figure, figures)} for figure in figures]
    path.write_text(json.dumps({**circumstances, "figures": found}, indent=2) + "\n")


def read_json(paths: list[Path]) -> tuple[list[Figure], dict[str, Any]]:
    """The figures of several runs, and the circumstances of the first, with the commands of all."""
    reports = [json.loads(path.read_text()) for path in paths]
    figures = []
    for each in [each for report in reports for each in report.pop("figures")]:
        point = Point(*each["point"]) if each["point"] else None
        fields = {name: each[name] for name in Figure._fields}
        figures.append(Figure(**{**fields, "cpu": Cpu(**each["cpu"]), "point": point}))
    circumstances = {**reports[0], "command": "`, `".join(report["command"] for report in reports)}
    for report in reports:
        circumstances["settings"] = {**report["settings"], **circumstances["settings"]}
    return figures, circumstances


def number(value: float) -> str:
    """With as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"  # noqa: PLR2004 - three digits that mean something


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _redis_version() -> str:
    program = shutil.which("redis-server")
    if program is None:
        return "not installed"
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return told.partition("v=")[2].partition(" ")[0]
