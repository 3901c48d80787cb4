"""Reading histories and judging them.

Passes over the records, each of which decodes only what it needs: the first gathers what clients, workers and handlers
said; the second replays each queue's journal on a model; the last compares what is stored at the end. Memory grows with
the number of tasks and attempts, about a kilobyte each, and not with payloads, results or the length of the journal.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distributed_queue.testing.proof.checks import QueueChecks
from distributed_queue.testing.proof.facts import SAID, Facts
from distributed_queue.testing.proof.records import BadRecord, Drained, Final, HistoryFiles, Journalled, Record
from distributed_queue.testing.proof.replay import QueueReplay
from distributed_queue.testing.proof.violations import Check, Tolerance, Violation, Violations

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path


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
    undrained: list[str] = field(default_factory=list)
    """Queues that are not said to have been let run empty: what is missing there at the end is not judged."""
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


def check_files(paths: Sequence[Path | str], **tolerance: Any) -> Report:
    """Judge the histories in these files; ``tolerance`` as for ``check_records``.

    Raises ``ValueError``, which names file and line, where a line is not a record.
    """
    files = HistoryFiles(paths)
    try:
        return _check(files.read, Tolerance(**tolerance))
    except BadRecord as error:
        raise ValueError(f"{files.where} cannot be: {error}") from error


def check_records(records: Sequence[Record], **tolerance: Any) -> Report:
    """Judge a history in memory; ``tolerance`` are fields of ``Tolerance``."""

    def read(kinds: Collection[type[Record]]) -> Iterator[Record]:
        wanted = tuple(kinds)
        return (record for record in records if isinstance(record, wanted))

    return _check(read, Tolerance(**tolerance))


def _check(read: Callable[[Collection[type[Record]]], Iterator[Record]], tolerance: Tolerance) -> Report:
    facts, violations = Facts(), Violations()
    with _no_garbage():
        facts.gather(read(SAID))
        replays = _replay(read((Journalled,)), facts, violations)
        ends = {record.queue: record for record in read((Drained,)) if isinstance(record, Drained)}
        facts.operations += len(ends)
        checks = _compare(read((Final,)), ends, facts, violations, tolerance)
        for each in checks.values():
            each.finish()
        return _report(facts, list(replays.values()), checks.keys() - ends.keys(), violations, tolerance)


def _replay(journal: Iterator[Record], facts: Facts, violations: Violations) -> dict[str, QueueReplay]:
    replays: dict[str, QueueReplay] = {}
    for entry in journal:
        if isinstance(entry, Journalled):
            facts.operations += 1
            replay = replays.get(entry.queue)
            if replay is None:
                replay = replays[entry.queue] = QueueReplay(entry.queue, facts, violations)
            replay.apply(entry)
    return replays


def _compare(
    listed: Iterator[Record], ends: dict[str, Drained], facts: Facts, violations: Violations, tolerance: Tolerance
) -> dict[str, QueueChecks]:
    checks: dict[str, QueueChecks] = {}

    def of(queue: str) -> QueueChecks:
        if queue not in checks:
            checks[queue] = QueueChecks(queue, facts, violations, tolerance=tolerance, end=ends.get(queue))
        return checks[queue]

    for final in listed:
        if isinstance(final, Final):
            facts.operations += 1
            of(final.queue).stored(final)
    for queue in list(facts.tasks):
        of(queue)
    return checks


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Keep the collector from looking, again and again, through what is kept to the end."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _report(
    facts: Facts, replays: list[QueueReplay], undrained: set[str], violations: Violations, tolerance: Tolerance
) -> Report:
    said = [each for tasks in facts.tasks.values() for each in tasks.values()]
    models = [each.model for each in said if each.model is not None]
    lateness = sorted(late for replay in replays for late in replay.lateness)
    if lateness and lateness[_rank(lateness, 0.99)] > tolerance.recovery_seconds:
        late = lateness[_rank(lateness, 0.99)]
        violations.add(Check.RECOVERY, "*", "*", f"p99 is {late:.2f} s after the end of the lease")
    return Report(
        operations=facts.operations,
        tasks=len(models),
        acknowledged=sum(each.acknowledged for each in said),
        completed=sum(task.status == "completed" for task in models),
        dead=sum(task.status == "dead" for task in models),
        attempts=sum(task.attempt for task in models),
        runs=sum(attempt.starts for each in said for attempt in each.attempts),
        lease_expiries=sum(replay.lease_expiries for replay in replays),
        faults=len(facts.faults),
        recovery_p50=lateness[_rank(lateness, 0.5)] if lateness else None,
        recovery_p99=lateness[_rank(lateness, 0.99)] if lateness else None,
        recovery_max=lateness[-1] if lateness else None,
        undrained=sorted(undrained),
        counts=dict(violations.counts),
        violations=violations.kept,
    )


def _rank(ordered: Sequence[float], share: float) -> int:
    """Index of a percentile by the nearest-rank method."""
    return min(len(ordered) - 1, int(share * len(ordered)))
