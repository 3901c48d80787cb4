"""Simulate many systems and judge them: ``python -m distributed_queue.testing.proof --engine redis --seeds 200``.

Exits with 1 if a promise was broken, after naming the seeds, each of which repeats its run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.registry import open_storage
from distributed_queue.testing.proof.bugs import BUGS
from distributed_queue.testing.proof.sample import Sample
from distributed_queue.testing.proof.simulation import Simulation
from distributed_queue.testing.proof.tables import bugs_table, checks_table
from distributed_queue.testing.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable

ENGINES = ("memory", "sqlite", "redis")


def main() -> int:
    """Run simulations and print what came of them."""
    parser = argparse.ArgumentParser(description="Simulate systems with faults, and judge their histories.")
    parser.add_argument("--engine", choices=ENGINES, default="memory")
    parser.add_argument("--seeds", type=int, default=100, help="how many runs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, default=600, help="actions in each run")
    parser.add_argument("--checks", action="store_true", help="print what is checked, as a table, and end")
    parser.add_argument("--bugs", action="store_true", help="print the seeded bugs, as a table, and end")
    parser.add_argument("--write-history", type=Path, metavar="FILE", help="write a long one to measure with, and end")
    parser.add_argument("--tasks", type=int, default=1_000_000, help="how many it has")
    arguments = parser.parse_args()
    if arguments.write_history:
        Sample(arguments.write_history).write(arguments.tasks)
        return 0
    if arguments.checks or arguments.bugs:
        print(checks_table() if arguments.checks else bugs_table(BUGS), end="")  # noqa: T201
        return 0
    totals = dict.fromkeys(("operations", "tasks", "completed", "dead", "lease_expiries"), 0)
    faults, broken, started = 0, 0, time.monotonic()
    with ExitStack() as stack:
        fresh_url = _urls(arguments.engine, stack)
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            clock = ManualClock()
            storage = open_storage(fresh_url(), clock)
            try:
                simulation = Simulation(storage, clock, seed)
                report = simulation.run(arguments.steps)
            finally:
                storage.close()
            faults += simulation.faults
            for name in totals:
                totals[name] += getattr(report, name)
            if not report.ok:
                broken += 1
                print(f"seed {seed}: " + "; ".join(map(str, report.violations[:3])))  # noqa: T201
    figures = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in totals.items())
    seconds = time.monotonic() - started
    print(f"{arguments.engine}: {arguments.seeds} runs, {faults:,} faults, {figures}; {broken} broken; {seconds:.0f} s")  # noqa: T201
    return 1 if broken else 0


def _urls(engine: str, stack: ExitStack) -> Callable[[], str]:
    """Makes the URL of an empty storage."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    if engine == "redis":
        server = stack.enter_context(RedisServer(folder))

        def emptied() -> str:
            server.flush()
            return server.url

        return emptied
    if engine == "sqlite":
        numbers = iter(range(sys.maxsize))
        return lambda: f"sqlite:///{folder}/{next(numbers)}.db?synchronous=normal"
    return lambda: "memory://"


if __name__ == "__main__":
    sys.exit(main())
