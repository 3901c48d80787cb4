"""The comparison as tables for a document, and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.figures import Cpu, Figure
from benchmarks.peers.catalogue import OURS, PEERS, RAW
from benchmarks.peers.environments import Environment
from benchmarks.report import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from benchmarks.peers.catalogue import Peer

RATE = "tasks/s"
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
PICTURES = {
    "processed, 1 process": "peers-processed.svg",
    "enqueued, one by one": "peers-enqueued.svg",
}
COSTS = {
    "worker µs/task": ("processed, 1 process", "worker"),
    "storage µs/task": ("processed, 1 process", "storage"),
    "client µs/task, one by one": ("enqueued, one by one", "client"),
    "storage µs/task, one by one": ("enqueued, one by one", "storage"),
    "client µs/task, batches": ("enqueued, batches of 100", "client"),
    "storage µs/task, batches": ("enqueued, batches of 100", "storage"),
}


class Report(NamedTuple):
    """What a run gave."""

    figures: list[Figure]
    """Medians; the storage's name is that of the peer."""
    missing: dict[str, str]
    """Peers that were not measured, or not to the end, and why."""
    circumstances: dict[str, Any]

    @property
    def peers(self) -> list[Peer]:
        """Those of which there is something, in the order of the catalogue."""
        names = {figure.storage for figure in self.figures}
        return [peer for peer in PEERS if peer.name in names]


def comparison(report: Report) -> str:
    """Every table, a row a peer."""
    found = {(figure.storage, figure.name): figure for figure in report.figures}
    names = [peer.name for peer in report.peers]
    parts = []
    for title, columns in TABLES.items():
        rows = ((name, *(_value(found.get((name, column))) for column in columns)) for name in names)
        units = (_unit(report.figures, column) for column in columns)
        parts.append(_table(title, ("", *(f"{c}{u}" for c, u in zip(columns, units, strict=True))), rows))
    rows = ((name, *(_cost(found.get((name, figure)), who) for figure, who in COSTS.values())) for name in names)
    parts.append(_table("Processor time", ("", *COSTS), rows))
    parts.extend(f"- {name}: {reason}" for name, reason in report.missing.items())
    return "\n".join(parts)


def standing(report: Report) -> str:
    """Of each figure: ours, the best of the peers, and which is ahead by how much."""
    rows = []
    for name, lower_is_better in _comparable(report):
        values = {f.storage: f.value for f in report.figures if f.name == name and f.storage != RAW.name}
        ours, best = values.pop(OURS.name, None), sorted(values.items(), key=lambda item: item[1])
        if ours is None or not best:
            continue
        peer, value = best[0] if lower_is_better else best[-1]
        times = value / ours if lower_is_better else ours / value
        rows.append(
            (name, number(ours), f"{peer}, {number(value)}", f"{times:.2f}", "ahead" if times > 1 else "behind")
        )
    rows.sort(key=lambda row: row[-1])
    return _table("Where we stand", ("", "ours", "the best of the others", "ours, as a multiple", ""), rows)


def settings(report: Report) -> str:
    """How each was run, why, and what it promises."""
    workers = [peer for peer in report.peers if peer.worker]
    ways = ((_with_version(peer), peer.setting, peer.reason) for peer in workers)
    promises = ((peer.name, peer.acknowledges, peer.results, peer.waits) for peer in workers)
    tables = (
        _table("Guarantees", ("", "acknowledges", "keeps by default", "without work"), promises, numbers=False),
        _table("Settings", ("", "setting", "why"), ways, numbers=False),
    )
    return "\n".join(tables)


def draw(report: Report, folder: Path) -> None:
    """The rates, a picture each."""
    from benchmarks.plots import draw_bars  # noqa: PLC0415 - a second to load, which few runs need

    folder.mkdir(parents=True, exist_ok=True)
    for name, file in PICTURES.items():
        values = {figure.storage: figure.value for figure in report.figures if figure.name == name}
        draw_bars(f"{name}, tasks/s", values, OURS.name, folder / file)


def write_json(path: Path, report: Report) -> None:
    """Write everything that was measured."""
    versions = {peer.name: Environment(peer).versions for peer in report.peers}
    figures = [{**figure._asdict(), "cpu": figure.cpu._asdict()} for figure in report.figures]
    content = {**report.circumstances, "peers": versions, "missing": report.missing, "figures": figures}
    path.write_text(json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> Report:
    """Read what ``write_json`` wrote."""
    content = json.loads(path.read_text())
    figures = [Figure(**{**figure, "cpu": Cpu(**figure["cpu"])}) for figure in content.pop("figures")]
    return Report(figures, content.pop("missing"), content)


def _comparable(report: Report) -> Iterator[tuple[str, bool]]:
    """The figures that there are, and whether less of them is better. What is raw is no peer."""
    seen = dict.fromkeys((figure.name, figure.unit) for figure in report.figures if figure.storage == OURS.name)
    return ((name, unit != RATE) for name, unit in seen)


def _with_version(peer: Peer) -> str:
    return f"{peer.name} {Environment(peer).versions.get(peer.name.lower(), '')}".strip()


def _table(title: str, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, numbers: bool = True) -> str:
    column = "--:" if numbers else "---"
    lines = [headings, ("---", *[column] * (len(headings) - 1)), *rows]
    return f"**{title}**\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _value(figure: Figure | None) -> str:
    return "" if figure is None else number(figure.value)


def _cost(figure: Figure | None, who: str) -> str:
    seconds = None if figure is None else getattr(figure.cpu, who)
    return "" if seconds is None else f"{seconds:.1f}"


def _unit(figures: list[Figure], name: str) -> str:
    unit = next((figure.unit for figure in figures if figure.name == name), "")
    return f", {unit}" if unit in {"s", "MB"} else ""
