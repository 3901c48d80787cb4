"""Two storages on one clock that are asked the same, step by step, and must answer the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.storage import WORKER_TTL_SECONDS, Exchange, Storage, StoredTask, TaskFilter
from distributed_queue.errors import DistributedQueueError
from distributed_queue.storage.memory import MemoryStorage
from distributed_queue.testing.steps import changes, listed
from distributed_queue.testing.story import check_story

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.clock import Clock

DUE_TOLERANCE_SECONDS = 0.002
"""How far two engines' ``next_due`` may be apart: it is advice, and one of them may round."""


class Difference(AssertionError):
    """The engine did not do as memory does."""


class Lockstep:
    """An engine and, as its model, the memory engine."""

    def __init__(self, open_empty: Callable[[Clock], Storage]) -> None:
        self.clock = ManualClock()
        self.model = MemoryStorage(self.clock)
        self.engine = open_empty(self.clock)
        self.differed = False
        """Whether a difference was found: then there is no use in looking for more."""

    def close(self) -> None:
        """Close both."""
        self.engine.close()
        self.model.close()

    def both(self, verb: str, *values: object) -> Any:
        """Call a verb on both; what it gave."""
        return self.compare(f"{verb}{values}", lambda storage: getattr(storage, verb)(*values))

    def compare(self, what: str, ask: Callable[[Storage], Any]) -> Any:
        """Ask both; what they answered. Raises ``Difference``."""
        expected, answer = _outcome(ask, self.model), _outcome(ask, self.engine)
        if not _same(expected, answer):
            raise self.difference(f"{what}\n memory: {expected}\n engine: {answer}")
        return expected

    def difference(self, what: str) -> Difference:
        """What to raise where they differ."""
        self.differed = True
        return Difference(what)

    def compare_everything(self) -> None:
        """A full dump."""
        for verb in ("queues", "stats", "workers"):
            self.both(verb)
        self.compare("find", lambda storage: listed(storage, limit=1000))
        for queue in self.model.queues():
            self.both("get", [task.id for task in self.tasks(queue)], queue)
            self.both("journal", queue, 0, 10_000)
            self.both("journal_tail", queue)

    def check_story(self, queue: str) -> None:
        """That the journal, which has to be whole, tells where the tasks are."""
        check_story(changes(self.engine, queue), listed(self.engine, TaskFilter(queue)))

    def tasks(self, queue: str) -> list[StoredTask]:
        """What is in a queue, in the order of listing."""
        return self.model.find(TaskFilter(queue), limit=1000).tasks

    def moments(self) -> list[float]:
        """When something is going to happen by itself, soonest first."""
        times = [worker.beat_at + WORKER_TTL_SECONDS for worker in self.model.workers()]
        for figures in self.model.stats():
            for task in self.tasks(figures.queue):
                times += [time for time in (task.due_at, task.lease_expires_at) if time is not None]
                if task.finished_at is not None:
                    times.append(task.finished_at + figures.config.retention_seconds)
                elif task.expires_at is not None:
                    times.append(task.expires_at)
        return sorted({round(time, 3) for time in times if time > self.clock.now()})


def _outcome(ask: Callable[[Storage], Any], storage: Storage) -> Any:
    """What it gave, or what is to be known of the error that it raised."""
    try:
        return ask(storage)
    except DistributedQueueError as error:
        return type(error), vars(error)


def _same(expected: object, answer: object) -> bool:
    if isinstance(expected, Exchange) and isinstance(answer, Exchange):
        return (
            expected.settled == answer.settled
            and expected.claim.tasks == answer.claim.tasks
            and _same_due(expected.claim.next_due, answer.claim.next_due)
        )
    return expected == answer


def _same_due(expected: float | None, answer: float | None) -> bool:
    if expected is None or answer is None:
        return expected is answer
    return abs(expected - answer) <= DUE_TOLERANCE_SECONDS
