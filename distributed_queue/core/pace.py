"""When tasks that are requeued together become ready: at once, or one after the other."""

from __future__ import annotations

from distributed_queue.core.options import check_number

SLOWEST, FASTEST = 0.001, 1_000_000.0
"""Tasks a second."""


class Pace:
    """The delays of tasks of which ``rate`` a second become ready, over any number of batches; None is all at once.

    Raises ``ConfigurationError`` for a rate that is out of range.
    """

    def __init__(self, rate: float | None) -> None:
        self.rate = None if rate is None else check_number("rate", rate, SLOWEST, FASTEST)
        self._given = 0

    def next(self, count: int) -> list[float]:
        """The delays of the next ``count`` tasks, for ``Storage.requeue``; the very first is 0."""
        if self.rate is None:
            return []
        delays = [place / self.rate for place in range(self._given, self._given + count)]
        self._given += count
        return delays

    @property
    def seconds(self) -> float:
        """How long it takes until the last of them is ready."""
        return 0.0 if self.rate is None or not self._given else (self._given - 1) / self.rate
