"""Who takes part in a round: started, killed, stopped and replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.context import ForkServerProcess

    from distributed_queue.testing.campaign.programs import Spec

_END_SECONDS = 30.0
_PRELOADED = [
    "distributed_queue.testing.campaign.programs",
    "distributed_queue.storage.redis",
    "distributed_queue.storage.sqlite",
]
"""What every process needs; those that are forked from a server that has it start in milliseconds."""


class Member(ABC):
    """A place that is always taken: when whoever has it ends, another one follows."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.generation = 0
        self.dismissed = False
        """Whether it was told to end, and nobody has taken its place since."""

    @property
    def slot(self) -> str:
        """The name of the place."""
        return self.spec.slot

    @property
    def name(self) -> str:
        """The name of who is there now."""
        return f"{self.slot}.{self.generation}"

    @abstractmethod
    def start(self) -> None:
        """Let somebody take the place."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""

    @abstractmethod
    def terminate(self) -> None:
        """Tell it to stop, and wait until it has."""

    @abstractmethod
    def crashed(self) -> bool:
        """Whether it has ended, and nobody has told it to."""


class ProcessMember(Member):
    """A process."""

    def __init__(self, spec: Spec, program: Callable[[Spec], None]) -> None:
        super().__init__(spec)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._program = program
        self._process: ForkServerProcess | None = None

    def start(self) -> None:
        """Start a process."""
        self.generation += 1
        self.dismissed = False
        spec = replace(self.spec, name=self.name)
        self._process = self._context.Process(target=self._program, args=(spec,), name=self.name, daemon=True)
        self._process.start()

    def kill(self) -> None:
        """SIGKILL."""
        self.dismissed = True
        self._send(signal.SIGKILL)
        self._join()

    def terminate(self) -> None:
        """SIGTERM; and SIGKILL for one that does not end in time."""
        self.dismissed = True
        self._send(signal.SIGTERM)
        if not self._join():
            self.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP, and SIGCONT in the end."""
        self._send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._send(signal.SIGCONT)

    def crashed(self) -> bool:
        """Whether the process has ended, and nobody has told it to."""
        return not self.dismissed and self._process is not None and not self._process.is_alive()

    def _send(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None and process.pid is not None and process.is_alive():
            os.kill(process.pid, number)

    def _join(self) -> bool:
        if self._process is not None:
            self._process.join(_END_SECONDS)
            return not self._process.is_alive()
        return True


@dataclass
class Crew:
    """All members."""

    workers: Sequence[Member]
    producers: Sequence[Member]

    @property
    def all(self) -> dict[str, Member]:
        """Place to member."""
        return {member.slot: member for member in (*self.workers, *self.producers)}

    def start(self) -> None:
        """Start them all."""
        for member in self.all.values():
            member.start()

    def revive(self) -> list[str]:
        """Replace those that have crashed; the names that they had."""
        crashed = [member for member in self.all.values() if member.crashed()]
        names = [member.name for member in crashed]
        for member in crashed:
            member.start()
        return names

    def kill(self) -> None:
        """End whoever is left."""
        for member in self.all.values():
            member.kill()
