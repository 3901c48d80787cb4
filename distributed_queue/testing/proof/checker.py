"""Reading histories and judging them.

Two passes over the records: the first gathers what clients, workers and handlers said; the second replays each queue's
journal on a model and compares everything with it and with the final state. Memory grows with the number of tasks,
not of operations; about a million operations a minute on one core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distributed_queue.testing.proof.checks import QueueChecks
from distributed_queue.testing.proof.facts import Facts
from distributed_queue.testing.proof.records import Drained, Final, Journalled, Record, read_history
from distributed_queue.testing.proof.replay import QueueReplay
from distributed_queue.testing.proof.violations import Check, Violation, Violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

DEFAULT_RECOVERY_SECONDS = 2.0
"""How much later than its end a dead worker's lease may be taken back."""


@dataclass
class Report:
    """The judgement, with figures."""

    operations: int = 0
    tasks: int = 0
    acknowledged: int = 0
    completed: int = 0
    dead: int = 0
    attempts: int = 0
    runs: int = 0
    lease_expiries: int = 0
    faults: int = 0
    recovery_p50: float | None = None
    """Seconds from the end of a lease until it was taken back."""
    recovery_p99: float | None = None
    recovery_max: float | None = None
    counts: dict[Check, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.counts

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures = {name: value for name, value in vars(self).items() if name not in {"counts", "violations"}}
        return {
            "ok": self.ok,
            **figures,
            "counts": {check.value: count for check, count in self.counts.items()},
            "violations": [str(violation) for violation in self.violations],
        }


def check_files(paths: Sequence[Path | str], *, recovery_seconds: float = DEFAULT_RECOVERY_SECONDS) -> Report:
    """Judge the histories in these files. Raises ``ValueError`` where a line is not a record."""
    return _check(lambda: read_history(paths), recovery_seconds)


def check_records(records: Sequence[Record], *, recovery_seconds: float = DEFAULT_RECOVERY_SECONDS) -> Report:
    """Judge a history in memory."""
    return _check(lambda: records, recovery_seconds)


def _check(read: Callable[[], Iterable[Record]], recovery_seconds: float) -> Report:
    facts = Facts()
    facts.gather(read())
    facts.close()
    violations = Violations()
    replays: dict[str, QueueReplay] = {}
    finals: dict[str, dict[str, Final]] = {}
    drained: dict[str, Drained] = {}
    for record in read():
        if isinstance(record, Journalled):
            replay = replays.get(record.queue)
            if replay is None:
                replay = replays[record.queue] = _replay(record.queue, facts, violations)
            replay.apply(record)
        elif isinstance(record, Final):
            finals.setdefault(record.queue, {})[record.id] = record
        elif isinstance(record, Drained):
            drained[record.queue] = record
    for queue in facts.tasks.keys() | replays.keys() | finals.keys():
        replay = replays.get(queue) or _replay(queue, facts, violations)
        replays[queue] = replay
        end = drained.get(queue)
        QueueChecks(
            replay,
            finals.get(queue, {}),
            violations,
            drained=end is not None,
            complete_dump=end is not None and not end.trimmed,
        ).run(facts.tasks.get(queue, {}))
    return _report(facts, replays, violations, recovery_seconds)


def _replay(queue: str, facts: Facts, violations: Violations) -> QueueReplay:
    return QueueReplay(queue, facts.tasks.get(queue, {}), facts.settings.get(queue), violations)


def _report(facts: Facts, replays: dict[str, QueueReplay], violations: Violations, recovery_seconds: float) -> Report:
    models = [task for replay in replays.values() for task in replay.tasks.values()]
    said = [each for tasks in facts.tasks.values() for each in tasks.values()]
    lateness = sorted(late for replay in replays.values() for late in replay.lateness)
    if lateness and lateness[_rank(lateness, 0.99)] > recovery_seconds:
        late = lateness[_rank(lateness, 0.99)]
        violations.add(Check.RECOVERY, "*", "*", f"p99 is {late:.2f} s after the end of the lease")
    return Report(
        operations=facts.operations,
        tasks=len(models),
        acknowledged=sum(each.acknowledged for each in said),
        completed=sum(task.status == "completed" for task in models),
        dead=sum(task.status == "dead" for task in models),
        attempts=sum(task.attempt for task in models),
        runs=sum(len(each.starts) for each in said),
        lease_expiries=sum(replay.lease_expiries for replay in replays.values()),
        faults=len(facts.faults),
        recovery_p50=lateness[_rank(lateness, 0.5)] if lateness else None,
        recovery_p99=lateness[_rank(lateness, 0.99)] if lateness else None,
        recovery_max=lateness[-1] if lateness else None,
        counts=dict(violations.counts),
        violations=violations.kept,
    )


def _rank(ordered: Sequence[float], share: float) -> int:
    """Index of a percentile by the nearest-rank method."""
    return min(len(ordered) - 1, int(share * len(ordered)))
