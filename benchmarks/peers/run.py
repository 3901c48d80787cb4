"""All peers, in turn, several times."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from benchmarks.figures import summarize
from benchmarks.peers.environments import NotInstalled
from benchmarks.peers.measure import Subject, measure
from benchmarks.peers.servers import BenchPostgres, BenchRedis
from benchmarks.peers.sides import Unmeasurable
from distributed_queue.testing.servers import RedisServer

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.figures import Figure, Sample
    from benchmarks.peers.environments import Environment
    from benchmarks.peers.servers import Server


class Servers:
    """Redis, and PostgreSQL once a peer asks for it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peers-")))
        self._folder.chmod(0o755)  # the user of PostgreSQL has to reach its own folder below
        self._redis = BenchRedis(stack.enter_context(RedisServer(self._folder / "redis")))
        stack.callback(self._redis.close)
        self._postgres: BenchPostgres | None = None

    def of(self, environment: Environment) -> Server:
        """The one that a peer works on. Raises ``NotInstalled``."""
        if not environment.peer.schema:
            return self._redis
        if self._postgres is None:
            postgres = BenchPostgres(self._folder / "postgres", environment)
            self._postgres = self._stack.enter_context(postgres)
        return self._postgres


class Run:
    """The peers that are measured, the samples so far, and why some are missing."""

    def __init__(self, environments: list[Environment], console: Console) -> None:
        self.environments = environments
        self.samples: dict[tuple[str, str], list[Sample]] = defaultdict(list)
        self.missing: dict[str, str] = {}
        self._console = console

    def install(self) -> None:
        """Install what is not there yet; the peers that cannot be are left out, by name."""
        for environment in self.environments:
            name = environment.peer.name
            if not environment.ready:
                self._console.print(f"Installing {name}")
            try:
                environment.install()
            except NotInstalled as reason:
                self._give_up(name, f"cannot be installed: {reason}")

    def measure(self, rounds: int, scale: float, limit_seconds: float) -> None:
        """Everything in turn, several times: what disturbs the machine for a while disturbs all alike.

        After the first round, whatever would begin later than ``limit_seconds`` is left out.
        """
        end = time.monotonic() + limit_seconds
        with ExitStack() as stack, Progress(console=self._console, transient=True) as progress:
            servers = Servers(stack)
            bar = progress.add_task("", total=rounds * len(self.environments))
            for number in range(1, rounds + 1):
                for environment in self.environments:
                    name = environment.peer.name
                    if number > 1 and time.monotonic() > end:
                        self._console.print(f"Time is over: round {number} ends before {name}")
                        return
                    progress.update(bar, description=f"round {number} of {rounds}: {name}")
                    if name not in self.missing:
                        self._measure(environment, servers, scale)
                    progress.advance(bar)

    @property
    def figures(self) -> list[Figure]:
        """The medians, the name of the peer as that of the storage."""
        return [summarize(name, "peers", found) for (name, _), found in self.samples.items()]

    def _measure(self, environment: Environment, servers: Servers, scale: float) -> None:
        name = environment.peer.name
        try:
            for sample in measure(Subject(environment, servers.of(environment), scale)):
                self.samples[name, sample.figure].append(sample)
        except (NotInstalled, Unmeasurable) as reason:
            self._give_up(name, str(reason))

    def _give_up(self, name: str, reason: str) -> None:
        self.missing[name] = reason
        self._console.print(f"{name}: {reason}", markup=False)
