"""Kill everything at every point and print what came of it: ``python -m distributed_queue.testing.crashpoints``.

Exits with 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from distributed_queue.testing.crashpoints.operations import OPERATIONS
from distributed_queue.testing.crashpoints.processes import MOST_POINTS, ProcessTrials
from distributed_queue.testing.crashpoints.programs import PROGRAMS
from distributed_queue.testing.crashpoints.trials import Outcome, Trials
from distributed_queue.testing.proof.tables import table
from distributed_queue.testing.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROCESS_KINDS = (("sqlite", "calls"), ("sqlite", "commits"), ("redis", "calls"))
KINDS = (("memory", "calls"), ("sqlite", "calls"), ("redis", "calls"), ("redis", "commands"))


def main() -> int:
    """Run all trials, and print the table."""
    parser = argparse.ArgumentParser(description="Kill every operation at every point, and judge what is left.")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of the points of programs, which take long")
    parser.add_argument("--no-programs", action="store_true", help="leave out what is killed by SIGKILL")
    parser.add_argument("--only", default="", metavar="TEXT", help="operations and programs with this in their names")
    arguments = parser.parse_args()
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(RedisServer(folder / "redis"))
        outcomes = []
        every = 0 if arguments.no_programs else arguments.every
        for outcome in _outcomes(folder, server, arguments.only, every):
            outcomes.append(outcome)
            print(f"{outcome.operation}, {outcome.engine}, {outcome.steps}: {outcome.points}", file=sys.stderr)  # noqa: T201
            for broken in outcome.broken:
                print(f"  {broken}", file=sys.stderr, flush=True)  # noqa: T201
    points, broken_points = sum(each.points for each in outcomes), sum(len(each.broken) for each in outcomes)
    print(points_table(outcomes), end="")  # noqa: T201
    print(f"{points:,} points, {broken_points} broken; {time.monotonic() - started:.0f} s")  # noqa: T201
    return 1 if broken_points else 0


def points_table(outcomes: list[Outcome]) -> str:
    """How many points each operation has, by engine and kind of step."""
    columns = tuple(dict.fromkeys((each.engine, each.steps) for each in outcomes))
    points = {(each.operation, each.engine, each.steps): f"{each.points:,}" for each in outcomes}
    names = dict.fromkeys(each.operation for each in outcomes)
    return table(
        ("operation", *(f"{engine}: {steps}" for engine, steps in columns)),
        ((name, *(points.get((name, *column), "") for column in columns)) for name in names),
    )


def _outcomes(folder: Path, server: RedisServer, only: str, every: int) -> Iterator[Outcome]:
    urls = _urls(folder, server)
    for operation in OPERATIONS:
        for engine, steps in KINDS:
            # dq refuses a storage that no other process sees.
            if only in operation.name and not (engine == "memory" and operation.name.startswith("dq ")):
                yield Trials(engine, urls[engine], steps).run(operation)
    for program in PROGRAMS:
        for engine, steps in PROCESS_KINDS:
            if every and only in program:
                points = range(1, MOST_POINTS, every)
                yield ProcessTrials(engine, urls[engine], folder, steps).run(program, points)


def _urls(folder: Path, server: RedisServer) -> dict[str, Callable[[], str]]:
    """Makes the URL of an empty storage, by engine."""
    numbers = itertools.count()

    def emptied() -> str:
        server.flush()
        return server.url

    return {
        "memory": lambda: "memory://",
        "sqlite": lambda: f"sqlite:///{folder}/{next(numbers)}.db?synchronous=normal",
        "redis": emptied,
    }


if __name__ == "__main__":
    sys.exit(main())
