"""Who breaks things: faults in an order that is drawn from the seed, some at the same time, each written down."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distributed_queue.testing.campaign.faults import STORAGE, FaultKind
from distributed_queue.testing.proof.records import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed_queue.testing.campaign.members import Crew
    from distributed_queue.testing.proof.records import History

_TICK_SECONDS = 0.02


@dataclass
class _Card:
    """A fault that is to come."""

    kind: FaultKind
    target: str
    seconds: float
    pause: float
    """Seconds until the next one."""


@dataclass
class _Ongoing:
    kind: FaultKind
    process: str
    began: float
    end_at: float
    stack: ExitStack
    goes_on: Callable[[], bool] | None

    def over(self) -> bool:
        return time.monotonic() >= self.end_at and not (self.goes_on and self.goes_on())


class Nemesis:
    """Deals faults until told to stop.

    Kinds, targets, durations and pauses come from ``seed``, in the same order each time; a fault waits for its target
    to have got over the last one. When exactly things happen, the machine decides.
    """

    def __init__(
        self, kinds: Sequence[FaultKind], crew: Crew, history: History, seed: str, pause_seconds: float
    ) -> None:
        self.crew = crew
        self._history = history
        self._ongoing: dict[str, _Ongoing] = {}
        self._cards = _deal(kinds, random.Random(seed), pause_seconds)  # noqa: S311 - to be repeatable is the point
        self.counts: Counter[str] = Counter({kind.name: 0 for kind in kinds})
        """How often each kind struck."""

    def run(self, seconds: float, faults: int | None = None) -> None:
        """Strike for so long, or so often; then end all faults."""
        end = time.monotonic() + seconds
        card, due = next(self._cards), time.monotonic()
        dealt = 0
        while time.monotonic() < end and (faults is None or dealt < faults):
            self.watch()
            if time.monotonic() >= due and card.target not in self._ongoing:
                self._begin(card)
                dealt += 1
                due = time.monotonic() + card.pause
                card = next(self._cards)
            time.sleep(_TICK_SECONDS)
        self.heal()

    def watch(self) -> None:
        """End faults whose time is over, and replace members that have crashed."""
        for target, ongoing in list(self._ongoing.items()):
            if ongoing.over():
                self._end(target)
        for name in self.crew.revive():
            now = time.time()
            self.counts["process crashed by a task"] += 1
            self._history.write(Fault(fault="crashed", target=name, begin=now - 1.0, end=now))

    def heal(self) -> None:
        """End all faults, whatever is left of their time."""
        # Those that go on by themselves may have to wait for the others.
        for target in sorted(self._ongoing, key=lambda target: self._ongoing[target].goes_on is not None):
            self._end(target)

    def _begin(self, card: _Card) -> None:
        process = "" if card.target == STORAGE else self.crew.all[card.target].name
        stack, began = ExitStack(), time.time()
        goes_on = stack.enter_context(card.kind.strike(card.target))
        self.counts[card.kind.name] += 1
        end_at = time.monotonic() + card.seconds
        self._ongoing[card.target] = _Ongoing(card.kind, process, began, end_at, stack, goes_on)

    def _end(self, target: str) -> None:
        ongoing = self._ongoing.pop(target)
        ongoing.stack.close()
        self._history.write(
            Fault(fault=ongoing.kind.name, target=ongoing.process, begin=ongoing.began, end=time.time())
        )


def _deal(kinds: Sequence[FaultKind], chance: random.Random, pause_seconds: float) -> Iterator[_Card]:
    """Every kind as often as its weight says, shuffled; then again."""
    while True:
        pack = [kind for kind in kinds for _ in range(kind.weight)]
        chance.shuffle(pack)
        for kind in pack:
            yield _Card(kind, chance.choice(kind.targets), chance.uniform(*kind.seconds), _pause(chance, pause_seconds))


def _pause(chance: random.Random, mean: float) -> float:
    return min(3 * mean, chance.expovariate(1 / mean)) if mean else 0.0
