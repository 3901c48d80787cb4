"""Which queues a worker asks for tasks, and when: pure bookkeeping.

A worker with queues in an order of preference asks all of them each time. One that takes from all there are asks the
longest overdue first and, where there are many, a few at a time: those with news, those whose time has come, those that
were not reached because others gave enough. A queue that gave enough goes to the end of the line. So each has its turn,
and a thousand of them cost little more than one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core.worker.preference import Preference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from distributed_queue.core.storage import Claim, ClaimRequest

FEW = 16
"""Up to so many queues are all asked with every claim; of more, so many at a time."""
_MANY_QUEUES_PAUSE = 1.0
"""With more of them, one that has no news is asked this often, in seconds."""
_AT_ONCE = 0.0
_NEVER = float("inf")


class Offer(NamedTuple):
    """The queues that there are."""

    queues: tuple[str, ...]


class Turns:
    """The time at which each queue is to be asked next, on the monotonic clock. Not thread-safe."""

    def __init__(self, queues: tuple[str, ...] | None, weights: Mapping[str, int] | None = None) -> None:
        self._in_order = queues is not None
        self._preference = Preference(queues or (), weights)
        self.queues = queues or ()
        self._at = dict.fromkeys(self.queues, _AT_ONCE)
        self._next_at: float | None = None
        """The least of those, once it was looked for."""
        self._news: dict[str, float] = {}
        """Queues that may have work, and when that was heard."""
        self._asked: Counter[str] = Counter()
        """How many claims under way ask a queue."""
        self._owed: dict[str, None] = {}
        """Queues that were asked by claims whose answer was lost, and how many claims have still to name them."""
        self._owing = 0

    @property
    def next_at(self) -> float:
        """When there is a queue to ask."""
        if self._next_at is None:
            self._next_at = min(self._at.values(), default=_NEVER)
        return self._next_at

    @property
    def has_news(self) -> bool:
        """Whether a queue is to be asked even without room for its tasks: another worker is to hear of it then."""
        return bool(self._news)

    def offer(self, queues: tuple[str, ...]) -> bool:
        """Take these for all queues there are. False where they are of no interest, or known."""
        if self._in_order or queues == self.queues:
            return False
        self.queues = queues
        self._at = {queue: self._at.get(queue, _AT_ONCE) for queue in queues}
        self._news = {queue: heard for queue, heard in self._news.items() if queue in self._at}
        self._next_at = None
        return True

    def hear(self, queues: Iterable[str], now: float) -> None:
        """There may be work in these."""
        known = [queue for queue in queues if queue in self._at]
        self._news.update(dict.fromkeys(known, now))
        self._put(known, _AT_ONCE)

    def ask_all(self) -> None:
        """There may be work in any of them."""
        self._put(self.queues, _AT_ONCE)

    def fail(self, request: ClaimRequest) -> None:
        """A claim was not answered, and may have been given tasks all the same: the next one names its queues, too."""
        self._asked.subtract(request.queues)
        if not self._in_order:
            self._owed.update(dict.fromkeys(request.queues))
            self._owing += 1

    def ask(self, now: float, settled: Iterable[str], *, wants: bool, most: int = FEW) -> tuple[str, ...]:
        """Begin a claim: its queues. ``settled`` may have freed a limit. If it ``wants`` no task, those with news."""
        chosen = self._take_owed() | self._choose(now, most, wants=wants)
        if wants:
            chosen.update(dict.fromkeys(queue for queue in settled if queue in self._at))
        self._asked.update(chosen.keys())
        return tuple(chosen)

    def answer(self, request: ClaimRequest, claim: Claim, started: float, now: float, idle_seconds: float) -> None:
        """End a claim. A queue from which nothing is to be expected is asked again after ``idle_seconds`` at most."""
        self._asked.subtract(request.queues)
        self._news = {
            queue: heard for queue, heard in self._news.items() if heard > started or queue not in request.queues
        }
        asked = [queue for queue in request.queues if queue in self._at and queue not in self._news]
        if not self._in_order and len(self.queues) > FEW:
            idle_seconds = min(idle_seconds, _MANY_QUEUES_PAUSE)
        if len(claim.tasks) < request.limit or not claim.tasks:
            if claim.next_due is not None:
                idle_seconds = min(idle_seconds, claim.next_due)
            self._put(asked, now + idle_seconds)
            return
        last = next((place for place, queue in enumerate(asked) if queue == claim.tasks[-1].queue), len(asked))
        self._put(asked[:last], now + idle_seconds)
        self._put(asked[last : last + 1], now)
        for queue in asked[last + 1 :]:
            self._at[queue] = min(self._at[queue], started)

    def _choose(self, now: float, most: int, *, wants: bool) -> dict[str, None]:
        if self._in_order:
            return dict.fromkeys(self._preference.order())
        if not wants:
            return dict.fromkeys(self._news)
        queues = self.queues
        if len(queues) > FEW:
            due = [queue for queue, at in self._at.items() if at <= now]
            # Another claim may be asking some of them: better others, but each at its place in line.
            due.sort(key=lambda queue: (self._asked[queue], self._at[queue]))
            queues = tuple(due[:most])
        return dict.fromkeys(sorted(queues, key=self._at.__getitem__))

    def _take_owed(self) -> dict[str, None]:
        owed = dict(self._owed)
        if self._owing:
            self._owing -= 1
            if not self._owing:
                self._owed = {}
        return owed

    def _put(self, queues: Iterable[str], at: float) -> None:
        for queue in queues:
            self._at[queue] = at
        self._next_at = None
