"""What came out of a campaign, in figures."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from distributed_queue.testing.campaign.plan import Plan
    from distributed_queue.testing.proof import Report

_SUMMED = ("operations", "tasks", "acknowledged", "completed", "dead", "attempts", "runs", "lease_expiries", "faults")


@dataclass
class RoundReport:
    """One round."""

    number: int
    proof: Report
    faults: dict[str, int]
    """Kind to how often it struck."""
    missing: dict[str, str]
    """Kinds that this machine does not allow, and why."""
    resumed: list[float]
    """Seconds from each return of the storage until a task was completed."""
    cut_short: int
    """Returns after which the storage failed again before a task was completed."""
    stops: list[float]
    """Seconds that workers took to stop when they were told to while the storage was well."""
    version: str
    faulted_seconds: float
    seconds: float
    check_seconds: float
    resume_limit: float

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return self.proof.ok and max(self.resumed, default=0.0) <= self.resume_limit

    def line(self) -> str:
        """The round in one line."""
        proof = self.proof
        verdict = "ok" if self.ok else "BROKEN: " + ", ".join(f"{c.value} {n}" for c, n in proof.counts.items())
        return (
            f"round {self.number}: {proof.faults} faults, {proof.acknowledged:,} tasks acknowledged, "
            f"{proof.completed:,} completed, {proof.dead} dead, {proof.lease_expiries} leases ran out; "
            f"{self.faulted_seconds:.0f} s of faults, {self.seconds:.0f} s in all, "
            f"checked in {self.check_seconds:.0f} s: {verdict}"
        )


def as_dict(plan: Plan, rounds: Sequence[RoundReport]) -> dict[str, Any]:
    """The whole campaign, for JSON."""
    proofs = [each.proof for each in rounds]
    faults: Counter[str] = Counter()
    for each in rounds:
        faults.update(each.faults)
    resumed = sorted(value for each in rounds for value in each.resumed)
    stops = sorted(value for each in rounds for value in each.stops)
    recoveries = [proof.recovery_p99 for proof in proofs if proof.recovery_p99 is not None]
    return {
        "ok": all(each.ok for each in rounds),
        "plan": asdict(plan),
        "versions": {
            "distributedq": __version__,
            "python": platform.python_version(),
            "storage": rounds[0].version if rounds else "",
            "system": platform.platform(),
        },
        "totals": {name: sum(getattr(proof, name) for proof in proofs) for name in _SUMMED},
        "seconds": round(sum(each.seconds + each.check_seconds for each in rounds), 1),
        "faulted_seconds": round(sum(each.faulted_seconds for each in rounds), 1),
        "faults": dict(sorted(faults.items())),
        "not_available_on_this_machine": {name: why for each in rounds for name, why in each.missing.items()},
        "recovery_p99_worst_round": max(recoveries, default=None),
        "recovery_max": max((proof.recovery_max or 0.0 for proof in proofs), default=None),
        "storage_returns": len(resumed) + sum(each.cut_short for each in rounds),
        "resumed_seconds": _spread(resumed),
        "graceful_stop_seconds": _spread(stops),
        "counts": _counts(proofs),
        "violations": [f"round {each.number}: {text}" for each in rounds for text in map(str, each.proof.violations)],
    }


def _counts(proofs: Iterable[Report]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for proof in proofs:
        counts.update({check.value: number for check, number in proof.counts.items()})
    return dict(counts)


def _spread(ordered: Sequence[float]) -> dict[str, float]:
    """Count, median, p99 and longest of sorted seconds."""
    if not ordered:
        return {"count": 0}
    last = len(ordered) - 1
    return {
        "count": len(ordered),
        "p50": round(ordered[last // 2], 3),
        "p99": round(ordered[min(last, int(0.99 * len(ordered)))], 3),
        "max": round(ordered[-1], 3),
    }
