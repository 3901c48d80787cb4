"""How many tasks a worker may hold beyond those it runs: a pure rule."""

from __future__ import annotations

from dataclasses import dataclass

HORIZON_SECONDS = 0.05
"""Tasks held in advance are at most this much work."""
LONGEST_HOLD_SECONDS = 0.2
"""A task held in advance that has not begun by then is given back: the tasks turned out longer than those before."""
MAX_PREFETCH = 512
_WEIGHT = 0.2
_SHORTEST_SECONDS = 0.001
"""A rate is taken over at least this long: answers of two exchanges may come at the same time."""


@dataclass
class Pace:
    """Running averages of what the worker sees, exponentially weighted."""

    handler_seconds: float | None = None
    """How long a handler runs."""
    exchange_seconds: float = 0.0
    """How long an exchange takes."""
    settled_per_second: float = 0.0
    _settled: int = 0
    """Attempts that are not in the rate yet, and how long they took."""
    _elapsed: float = 0.0

    def observe_exchange(self, seconds: float, settled: int, since_last: float) -> None:
        """Note an exchange, and how many attempts it settled in the time since the one before."""
        self.exchange_seconds += _WEIGHT * (seconds - self.exchange_seconds)
        self._elapsed = self._elapsed + since_last if self._settled else since_last
        self._settled += settled
        if self._settled and self._elapsed >= _SHORTEST_SECONDS:
            rate = self._settled / self._elapsed
            self.settled_per_second += _WEIGHT * (rate - self.settled_per_second)
            self._settled, self._elapsed = 0, 0.0

    def observe_handlers(self, mean_seconds: float) -> None:
        """Note how long a batch of handlers took, each."""
        before = mean_seconds if self.handler_seconds is None else self.handler_seconds
        self.handler_seconds = before + _WEIGHT * (mean_seconds - before)

    def observe_stall(self) -> None:
        """Note that tasks held in advance had to be given back: no more of that until handlers are short again."""
        self.handler_seconds = max(self.handler_seconds or 0.0, LONGEST_HOLD_SECONDS)

    def prefetch(self) -> int:
        """None at all unless handlers are so short that the round trip dominates; then a bounded time's worth."""
        if self.handler_seconds is None or self.handler_seconds > self.exchange_seconds:
            return 0
        return min(MAX_PREFETCH, int(self.settled_per_second * HORIZON_SECONDS))
