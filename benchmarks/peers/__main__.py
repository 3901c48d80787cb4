"""The command line: ``python -m benchmarks.peers --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from benchmarks.figures import summarize
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.environments import Environment, NotInstalled
from benchmarks.peers.measure import Subject, measure
from benchmarks.peers.report import comparison, write_json
from benchmarks.peers.servers import BenchPostgres, BenchRedis
from benchmarks.peers.sides import Unmeasurable
from benchmarks.report import conditions
from distributed_queue.testing.servers import RedisServer

if TYPE_CHECKING:
    from benchmarks.figures import Figure, Sample
    from benchmarks.peers.servers import Server

ROUNDS = 3
QUICK_SCALE = 0.25
NAMES = {peer.name.lower(): peer for peer in PEERS}


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description="Measure other task queues beside this one, on this machine."
    )
    parser.add_argument("peer", nargs="*", help=f"default: all of {', '.join(NAMES)}")
    parser.add_argument("--install", action="store_true", help="only install the peers, each in its own environment")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"interleaved; their median counts (default {ROUNDS})"
    )
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="how much of everything (default 1)")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works")
    parser.add_argument("--markdown", action="store_true", help="print the tables for a document")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured there")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.peer if name not in NAMES]
    if unknown:
        parser.error(f"{unknown[0]!r} is not one of {', '.join(NAMES)}")
    return options


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

    def measure(self, rounds: int, scale: float) -> None:
        """Everything in turn, several times: what disturbs the machine for a while disturbs all alike."""
        with ExitStack() as stack, Progress(console=self._console, transient=True) as progress:
            servers = Servers(stack)
            bar = progress.add_task("", total=rounds * len(self.environments))
            for number in range(1, rounds + 1):
                for environment in self.environments:
                    name = environment.peer.name
                    progress.update(bar, description=f"round {number} of {rounds}: {name}")
                    if name not in self.missing:
                        self._measure(environment, servers, scale)
                    progress.advance(bar)

    def _measure(self, environment: Environment, servers: Servers, scale: float) -> None:
        name = environment.peer.name
        try:
            for sample in measure(Subject(environment, servers.of(environment), scale)):
                self.samples[name, sample.figure].append(sample)
        except (NotInstalled, Unmeasurable) as reason:
            self._give_up(name, str(reason))

    @property
    def figures(self) -> list[Figure]:
        """The medians, the name of the peer as that of the storage."""
        return [summarize(name, "peers", found) for (name, _), found in self.samples.items()]

    def _give_up(self, name: str, reason: str) -> None:
        self.missing[name] = reason
        self._console.print(f"{name}: {reason}", markup=False)


def main() -> None:
    """Install, measure, print, write."""
    options = parse(sys.argv[1:])
    console = Console(stderr=True)
    chosen = [NAMES[name] for name in options.peer] or list(PEERS)
    run = Run([Environment(peer) for peer in chosen], console)
    run.install()
    if options.install:
        sys.exit(1 if run.missing else 0)
    circumstances = conditions("benchmarks.peers")
    run.measure(*((1, min(QUICK_SCALE, options.scale)) if options.quick else (options.rounds, options.scale)))
    print(comparison(run.figures, run.missing))
    if options.json:
        write_json(options.json, run.figures, run.environments, run.missing, circumstances)


if __name__ == "__main__":
    main()
