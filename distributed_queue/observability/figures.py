"""Figures out of the counters that storages keep: per task type, with histograms and their percentiles."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from distributed_queue.core import counters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BOUNDS_SECONDS = tuple(bound / 1000 for bound in counters.BUCKET_BOUNDS_MS)
"""Upper bounds of the histograms that storages keep."""


class Histogram:
    """How many durations fell into each bucket, and what they add up to."""

    __slots__ = ("bounds", "counts", "sum_seconds")

    def __init__(self, bounds: Sequence[float] = BOUNDS_SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_seconds = 0.0

    @property
    def total(self) -> int:
        """How many durations there were."""
        return sum(self.counts)

    def add(self, other: Histogram) -> None:
        """Add what another one with the same bounds has."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_seconds += other.sum_seconds

    def cumulative(self) -> list[int]:
        """For each bound how many durations were not longer; at the end all of them."""
        reached, steps = 0, []
        for count in self.counts:
            reached += count
            steps.append(reached)
        return steps

    def quantile(self, share: float) -> float | None:
        """An estimate of the duration that ``share`` of all did not exceed; None without any.

        Linear within the bucket, and the last bound where it lies above it, as Prometheus' ``histogram_quantile`` does.
        """
        rank = share * self.total
        if not rank:
            return None
        lower, reached = 0.0, 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and reached + count >= rank:
                return lower + (bound - lower) * (rank - reached) / count
            lower, reached = bound, reached + count
        return self.bounds[-1]


class Figures:
    """What was counted of one task type, or of several together."""

    __slots__ = ("counts", "duration", "wait")

    def __init__(self) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int)
        """By the words of ``core.counters``."""
        self.wait = Histogram()
        self.duration = Histogram()

    def count(self, what: str, by: int) -> None:
        """Take over one counter of the storage; ``what`` is its name without the type."""
        kind, _, part = what.partition(".")
        histogram = {counters.WAIT: self.wait, counters.DURATION: self.duration}.get(kind)
        if histogram is None:
            self.counts[what] += by
        elif part == "ms":
            histogram.sum_seconds += by / 1000
        elif part.isdecimal() and int(part) < len(histogram.counts):
            histogram.counts[int(part)] += by

    def add(self, other: Figures) -> None:
        """Add what another one has."""
        for what, number in other.counts.items():
            self.counts[what] += number
        self.wait.add(other.wait)
        self.duration.add(other.duration)


def by_type(counted: Mapping[str, int]) -> dict[str, Figures]:
    """The counters of a queue, sorted out by task type. What concerns no type is under the empty one."""
    figures: defaultdict[str, Figures] = defaultdict(Figures)
    for name, number in counted.items():
        what, _, task_type = name.partition("|")
        figures[task_type].count(what, number)
    return dict(sorted(figures.items()))


def together(parts: Iterable[Figures]) -> Figures:
    """The sum of several."""
    total = Figures()
    for part in parts:
        total.add(part)
    return total


def growth(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """By how much counters have grown. One that went down was started anew, so all of it is growth."""
    return {
        name: number if number < (earlier := before.get(name, 0)) else number - earlier for name, number in now.items()
    }
