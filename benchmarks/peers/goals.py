"""The goals, beside the peers of the same run: as multiples, since machines differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.peers.catalogue import OURS, RAW
from benchmarks.report import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.peers.report import Report

PYTHON = "the best Python peer"
NODE = "BullMQ"
ITSELF = ""
"""For goals that are a figure, and no multiple of another."""


class Goal(NamedTuple):
    """How far a figure is to be from another."""

    name: str
    figure: str
    cost: str = ""
    """Whose processor time it is about, instead of the figure itself."""
    lower: bool = False
    """Whether less is better."""
    bounds: Mapping[str, float] = {}
    """At least, or at most, so many times what another has."""


GOALS = (
    Goal("processed/s, 1 process", "processed, 1 process", bounds={PYTHON: 11, NODE: 3}),
    Goal("processed/s, 2 processes", "processed, 2 processes", bounds={PYTHON: 8.3}),
    Goal("worker, µs/task", "processed, 1 process", "worker", lower=True, bounds={PYTHON: 0.088, NODE: 0.26}),
    Goal("Redis, µs/task", "processed, 1 process", "storage", lower=True, bounds={PYTHON: 0.44, NODE: 0.33}),
    Goal("results kept, processed/s", "processed, results kept", bounds={PYTHON: 18, NODE: 2.8}),
    Goal("enqueued/s, one by one", "enqueued, one by one", bounds={PYTHON: 1.3, RAW.name: 0.75}),
    Goal("enqueued/s, batches of 100", "enqueued, batches of 100", bounds={RAW.name: 0.69}),
    Goal("latency, idle, p50, ms", "latency, idle, p50", lower=True, bounds={PYTHON: 0.7}),
    Goal("latency, idle, p99, ms", "latency, idle, p99", lower=True, bounds={PYTHON: 0.86}),
    Goal("latency at 500/s, p50, ms", "latency at 500/s, p50", lower=True, bounds={PYTHON: 0.83}),
    Goal("latency at 500/s, p99, ms", "latency at 500/s, p99", lower=True, bounds={PYTHON: 1.0}),
    Goal("bytes per queued task", "bytes per queued task", lower=True, bounds={ITSELF: 300}),
    Goal("first task after start, s", "first task after start", lower=True, bounds={ITSELF: 0.2}),
    Goal("memory of an idle worker, MB", "memory, idle worker", lower=True, bounds={ITSELF: 40}),
)
"""Where a goal was given as a figure of another machine, the bound is that figure as a multiple of the peer's there."""


def goals(report: Report) -> str:
    """A table: what we reached, what others did, and whether that is what was wanted."""
    lines = [
        ("", "ours", PYTHON, NODE, RAW.name, "goal", "reached"),
        ("---", "--:", "--:", "--:", "--:", "---", "---"),
        *(_row(report, goal) for goal in GOALS),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(report: Report, goal: Goal) -> tuple[str, ...]:
    values = _values(report, goal)
    ours, raw, node = values.pop(OURS.name), values.pop(RAW.name, None), values.pop(NODE, None)
    best = min(values, key=values.__getitem__) if goal.lower else max(values, key=values.__getitem__)
    others = {PYTHON: values[best], NODE: node, RAW.name: raw, ITSELF: 1.0}
    wanted, reached = [], []
    for other, bound in goal.bounds.items():
        reference = others[other]
        if reference is None:
            continue
        times = ours / reference
        is_reached = times <= bound if goal.lower else times >= bound
        sign = "≤" if goal.lower else "≥"
        wanted.append(f"{sign} {bound:g}" + (f" × {other}" if other else ""))  # noqa: RUF001 - the sign for times
        reached.append("yes" if is_reached else "no" if other == ITSELF else f"{times:.2g} ×")  # noqa: RUF001 - the sign for times
    cells = (number(ours), f"{best}, {number(values[best])}", *("" if x is None else number(x) for x in (node, raw)))
    return (goal.name, *cells, "; ".join(wanted), "; ".join(reached))


def _values(report: Report, goal: Goal) -> dict[str, float]:
    """What each side has, as far as it was measured. Of Procrastinate, the storage is PostgreSQL."""
    found: dict[str, float] = {}
    for figure in report.figures:
        if figure.name == goal.figure:
            value = getattr(figure.cpu, goal.cost) if goal.cost else figure.value
            if value is not None:
                found[figure.storage] = value
    return found
