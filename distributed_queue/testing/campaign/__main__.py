"""Break a whole system at random, and judge.

``python -m distributed_queue.testing.campaign --engine redis --minutes 10 --seed 1``

Prints a report as JSON and exits with 1 if a promise was broken. The seed gives the same tasks and the same faults in
the same order again, but not at the same moments: those are the machine's.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from distributed_queue.testing.campaign.campaign import run
from distributed_queue.testing.campaign.grounds import GROUNDS
from distributed_queue.testing.campaign.grounds.topology import TopologyGround
from distributed_queue.testing.campaign.plan import Plan
from distributed_queue.testing.campaign.report import as_dict
from distributed_queue.testing.namespace import Network, NoNamespace, enter_network_namespace


def main() -> int:
    """Run a campaign as the command line says."""
    chosen = _chosen()
    plan = _plan(chosen)
    network = _network() if issubclass(GROUNDS[plan.engine], TopologyGround) else None
    with ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dq-campaign-")))
        folder.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(filename=folder / "campaign.log")
        numbers = range(plan.rounds) if chosen.round is None else [chosen.round]
        rounds = []
        for report in run(plan, folder, numbers, keep=chosen.keep is not None, network=network):
            rounds.append(report)
            print(report.line(), file=sys.stderr, flush=True)  # noqa: T201 - a program
    whole = as_dict(plan, rounds)
    print(json.dumps(whole, indent=1))  # noqa: T201 - a program
    return 0 if whole["ok"] else 1


def _chosen() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m distributed_queue.testing.campaign", description=__doc__)
    parser.add_argument("--engine", choices=tuple(GROUNDS), default="redis")
    parser.add_argument("--minutes", type=float, default=10.0, help="under faults, of all rounds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--round", type=int, help="run only the round with this number")
    parser.add_argument("--round-seconds", type=float, default=Plan.round_seconds)
    parser.add_argument("--faults", type=int, help="a round ends after so many, if that comes before its time is over")
    parser.add_argument("--workers", type=int, default=Plan.workers)
    parser.add_argument("--producers", type=int, default=Plan.producers)
    parser.add_argument("--rate", type=float, default=Plan.rate, help="tasks a second")
    parser.add_argument("--pause", type=float, default=Plan.pause_seconds, help="mean seconds between faults")
    parser.add_argument("--lease", type=float, default=Plan.lease_seconds)
    parser.add_argument("--hostile-every", type=int, default=Plan.hostile_every)
    parser.add_argument("--only", action="append", default=[], help="a kind of fault; may be given several times")
    parser.add_argument(
        "--resume-seconds",
        type=float,
        default=Plan.resume_seconds,
        help="how soon work has to go on after the storage is back",
    )
    parser.add_argument("--appendfsync", choices=("always", "everysec", "off"), help="of Redis; off: no AOF")
    parser.add_argument("--replicas", type=int, help="that have to confirm, of sentinel and cluster (default: all)")
    parser.add_argument("--keep", type=Path, help="a new folder for the histories, which are deleted otherwise")
    return parser.parse_args()


def _plan(chosen: argparse.Namespace) -> Plan:
    seconds = chosen.minutes * 60
    return Plan(
        engine=chosen.engine,
        seed=chosen.seed,
        seconds=seconds,
        round_seconds=min(seconds, chosen.round_seconds),
        faults=chosen.faults,
        workers=chosen.workers,
        producers=chosen.producers,
        rate=chosen.rate,
        pause_seconds=chosen.pause,
        lease_seconds=chosen.lease,
        hostile_every=chosen.hostile_every,
        resume_seconds=chosen.resume_seconds,
        only=tuple(chosen.only),
        options={
            name: str(value) for name in ("appendfsync", "replicas") if (value := getattr(chosen, name)) is not None
        },
    )


def _network() -> Network | None:
    """One of our own, if this machine permits it."""
    try:
        return enter_network_namespace()
    except NoNamespace as error:
        print(f"nothing is going to be cut off: {error}", file=sys.stderr)  # noqa: T201 - a program
        return None


if __name__ == "__main__":
    sys.exit(main())
