"""Running one operation, dying at one moment, and judging what a new process makes of it."""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.registry import open_storage
from distributed_queue.testing.crashpoints.draining import LEASE_SECONDS, drain
from distributed_queue.testing.crashpoints.dying import Death, DyingStorage, Killed, dying_on_the_wire
from distributed_queue.testing.proof.checker import check_records
from distributed_queue.testing.proof.recording import RecordingStorage
from distributed_queue.testing.proof.simulation import MemoryHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from distributed_queue.core.storage import Storage
    from distributed_queue.testing.crashpoints.operations import Operation


@dataclass
class Outcome:
    """What came of killing one operation at all of its moments."""

    operation: str
    engine: str
    steps: str
    points: int = 0
    broken: list[str] = field(default_factory=list)


class Trials:
    """All moments of operations on one engine. ``fresh_url`` gives the URL of an empty storage.

    ``steps`` are the ``calls`` of the storage, or the ``commands`` on the wire.
    """

    def __init__(self, engine: str, fresh_url: Callable[[], str], steps: str = "calls") -> None:
        self._engine = engine
        self._fresh_url = fresh_url
        self._steps = steps

    def run(self, operation: Operation) -> Outcome:
        """Count the moments, then die at each of them."""
        outcome = Outcome(operation.name, self._engine, self._steps)
        whole = Death()
        self._judge(operation, whole, outcome)
        outcome.points = whole.moments
        for at in range(1, whole.moments + 1):
            death = Death(at)
            self._judge(operation, death, outcome)
            outcome.points -= not death.dead  # it depends on the time how often it is asked again
        return outcome

    def _judge(self, operation: Operation, death: Death, outcome: Outcome) -> None:
        with _Trial(self._fresh_url(), by_commands=self._steps == "commands") as trial:
            wrong = trial.run(operation, death)
        outcome.broken += [f"{death.at or 'to the end'}: {each}" for each in wrong]


class _Trial:
    """One run, on a storage of its own."""

    def __init__(self, url: str, *, by_commands: bool) -> None:
        self._url = url
        self._by_commands = by_commands
        self._clock = ManualClock()
        self._history = MemoryHistory()
        self._stack = ExitStack()
        self._names = itertools.count(1)
        self._shared: Storage | None = None

    def __enter__(self) -> Self:
        if self._url == "memory://":
            self._shared = open_storage(self._url, self._clock)
            self._stack.callback(self._shared.close)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(self, operation: Operation, death: Death) -> list[str]:
        """What is wrong afterwards."""
        with self._process(killed=True) as queue:
            operation.prepare(queue)
        self._die(operation, death)
        self._clock.advance(1.0)
        with self._process() as queue:
            operation.act(queue)
        with self._process() as queue:
            wrong = [] if operation.reached(queue) else ["it is not as the user wanted it"]
        self._drain()
        report = check_records(self._history.records, recovery_seconds=float("inf"))
        return wrong + [str(violation) for violation in report.violations]

    def _die(self, operation: Operation, death: Death) -> None:
        wire = dying_on_the_wire(death) if self._by_commands else nullcontext()
        try:
            with wire, self._process(None if self._by_commands else death, killed=True) as queue:
                operation.act(queue)
        except Killed:
            pass

    @contextmanager
    def _process(self, death: Death | None = None, *, killed: bool = False) -> Iterator[HybridQueue]:
        """A process's queue. One that is killed closes nothing; what its engine holds is let go at the end."""
        name = f"process-{next(self._names)}"

        def opened(_url: str, _clock: object = None, *_more: object) -> Storage:
            return cast("Storage", RecordingStorage(self._open(death), self._history, name, self._clock.now))

        with patch("distributed_queue.core.hybrid_queue.open_storage", opened):
            queue = HybridQueue.from_url(self._url, visibility_timeout=LEASE_SECONDS)
            yield queue
            if not killed:
                queue.close()

    def _open(self, death: Death | None) -> Storage:
        storage: Any = self._shared
        if storage is None:
            storage = open_storage(self._url, self._clock)
            self._stack.callback(storage.close)
        storage = _Unclosed(storage) if self._shared is not None else storage
        return cast("Storage", DyingStorage(storage, death or Death()))

    def _drain(self) -> None:
        """Let everything run to its end, with a healthy worker."""
        with self._process() as queue:
            drain(cast("RecordingStorage", queue.storage), self._clock)


class _Unclosed:
    """The memory of a machine outlives the process in a trial: closing it does nothing."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return (lambda: None) if name == "close" else getattr(self._storage, name)
