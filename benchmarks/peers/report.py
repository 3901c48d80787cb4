"""The comparison as tables for a document, and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.peers.catalogue import PEERS
from benchmarks.report import number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.figures import Figure
    from benchmarks.peers.environments import Environment

TABLES = {
    "Rates, tasks/s": (
        "processed, 1 process",
        "processed, 2 processes",
        "processed, results kept",
        "enqueued, one by one",
        "enqueued, batches of 100",
    ),
    "Latency, ms": ("latency, idle, p50", "latency, idle, p99", "latency at 500/s, p50", "latency at 500/s, p99"),
    "Room and start": ("first task after start", "memory, idle worker", "memory, busy worker", "bytes per queued task"),
}
COSTS = {
    "worker µs/task": ("processed, 1 process", "worker"),
    "storage µs/task": ("processed, 1 process", "storage"),
    "client µs/task, one by one": ("enqueued, one by one", "client"),
    "storage µs/task, one by one": ("enqueued, one by one", "storage"),
    "client µs/task, batches": ("enqueued, batches of 100", "client"),
    "storage µs/task, batches": ("enqueued, batches of 100", "storage"),
}


def comparison(figures: list[Figure], missing: dict[str, str]) -> str:
    """Every table, a row a peer."""
    found = {(figure.storage, figure.name): figure for figure in figures}
    names = [peer.name for peer in PEERS if any(peer.name == figure.storage for figure in figures)]
    parts = []
    for title, columns in TABLES.items():
        rows = ((name, *(_value(found.get((name, column))) for column in columns)) for name in names)
        units = (_unit(figures, column) for column in columns)
        parts.append(_table(title, ("", *(f"{c}{u}" for c, u in zip(columns, units, strict=True))), rows))
    rows = ((name, *(_cost(found.get((name, figure)), who) for figure, who in COSTS.values())) for name in names)
    parts.append(_table("Processor time", ("", *COSTS), rows))
    parts.extend(f"- {name} {reason}" for name, reason in missing.items())
    return "\n".join(parts)


def settings(environments: Iterable[Environment]) -> str:
    """How each was run, why, and what it promises."""
    setting_rows, promise_rows = [], []
    for environment in environments:
        peer, versions = environment.peer, environment.versions
        if not peer.worker:
            continue
        name = " ".join([peer.name, *(v for k, v in versions.items() if k == peer.name.lower())])
        setting_rows.append((name, peer.setting, peer.reason))
        promise_rows.append((peer.name, peer.acknowledges, peer.results, peer.waits))
    return "\n".join(
        [
            _table("Settings", ("", "setting", "why"), setting_rows),
            _table("Guarantees", ("", "acknowledges", "keeps by default", "without work"), promise_rows),
        ]
    )


def write_json(
    path: Path,
    figures: list[Figure],
    environments: Iterable[Environment],
    missing: dict[str, str],
    circumstances: dict[str, Any],
) -> None:
    """Write everything that was measured."""
    found = [{**figure._asdict(), "peer": figure.storage, "cpu": figure.cpu._asdict()} for figure in figures]
    versions = {environment.peer.name: environment.versions for environment in environments}
    path.write_text(
        json.dumps({**circumstances, "peers": versions, "missing": missing, "figures": found}, indent=2) + "\n"
    )


def _table(title: str, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---", *["--:"] * (len(headings) - 1)), *rows]
    return f"**{title}**\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _value(figure: Figure | None) -> str:
    return "" if figure is None else number(figure.value)


def _cost(figure: Figure | None, who: str) -> str:
    seconds = None if figure is None else getattr(figure.cpu, who)
    return "" if seconds is None else f"{seconds:.1f}"


def _unit(figures: list[Figure], name: str) -> str:
    unit = next((figure.unit for figure in figures if figure.name == name), "")
    return f", {unit}" if unit in {"s", "MB"} else ""
