"""What a measurement gives, and what remains of several."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple


class Cpu(NamedTuple):
    """Processor time per task in microseconds, by who spent it; None where it is another's or nobody's."""

    client: float | None = None
    worker: float | None = None
    storage: float | None = None


class Point(NamedTuple):
    """Where a figure stands on a curve."""

    curve: str
    x: float


class Sample(NamedTuple):
    """One measured value."""

    figure: str
    """Which figure it is a sample of; samples of a figure are comparable."""
    value: float
    unit: str
    cpu: Cpu = Cpu()
    reference: str = ""
    """The figure of the same storage that it is to be compared with."""
    point: Point | None = None
    """Where it stands, if it is one of a curve."""


class Figure(NamedTuple):
    """The median of samples, and they themselves."""

    storage: str
    scenario: str
    name: str
    unit: str
    value: float
    samples: list[float]
    cpu: Cpu
    reference: str
    point: Point | None


def summarize(storage: str, scenario: str, samples: list[Sample]) -> Figure:
    """One figure of the samples of several rounds."""
    first = samples[0]
    values = [sample.value for sample in samples]
    return Figure(
        storage=storage,
        scenario=scenario,
        name=first.figure,
        unit=first.unit,
        value=median(values),
        samples=values,
        cpu=_medians(samples),
        reference=first.reference,
        point=first.point,
    )


def ratio(figure: Figure, figures: list[Figure]) -> float | None:
    """The figure as a multiple of its reference, if that was measured too."""
    for other in figures:
        if (other.storage, other.name) == (figure.storage, figure.reference):
            return figure.value / other.value
    return None


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def _medians(samples: list[Sample]) -> Cpu:
    columns = [[each for each in column if each is not None] for column in zip(*(s.cpu for s in samples), strict=True)]
    return Cpu(*(median(column) if column else None for column in columns))
