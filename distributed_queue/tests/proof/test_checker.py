"""The checker passes histories in which every promise is kept, and notices each broken one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.registry import open_storage
from distributed_queue.core.storage import ClaimRequest, NewTask, Outcome, Settlement
from distributed_queue.testing.proof import HistoryWriter, RecordingStorage, check_files, check_records
from distributed_queue.testing.proof.records import (
    Claimed,
    Drained,
    Effect,
    Extended,
    Final,
    Journalled,
    Read,
    Settings,
    Settle,
    SettledTask,
    Submit,
    SubmittedTask,
)
from distributed_queue.testing.proof.violations import Check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from distributed_queue.testing.proof.records import Record

Q = "q"


class Story:
    """A history, told step by step: what the clients see and what the journal says go together unless told apart."""

    def __init__(self, **settings: Any) -> None:
        self.records: list[Record] = [Settings(queue=Q, **settings)]
        self.position = 0
        self.calls = 0

    def journal(self, at: float, *changes: tuple[Any, ...], position: int | None = None) -> Story:
        self.position = self.position + 1 if position is None else position
        full = [(*each, *(0, "")[len(each) - 2 :]) for each in changes]
        self.records.append(Journalled(queue=Q, position=self.position, at=at, changes=full))
        return self

    def submit(self, *tasks: SubmittedTask, phase: str = "ok", stored: bool = True) -> Story:
        self.calls += 1
        self.records.append(Submit(process="c", call=self.calls, phase="call", queue=Q, tasks=list(tasks)))
        if phase != "call":
            answers = [stored] * len(tasks) if phase == "ok" else []
            self.records.append(Submit(process="c", call=self.calls, phase=phase, stored=answers))  # type: ignore[arg-type]
        return self

    def put(self, at: float, *ids: str, priority: int = 5, **fields: Any) -> Story:
        self.submit(*(SubmittedTask(task_id, priority, **fields) for task_id in ids))
        return self.journal(at, *(("enqueued", task_id) for task_id in ids))

    def lease(self, task_id: str, attempt: int, seconds: float = 30.0, worker: str = "w") -> Story:
        self.records.append(
            Claimed(process=worker, queue=Q, worker=worker, lease_seconds=seconds, tasks=[(task_id, attempt)])
        )
        return self

    def run(self, task_id: str, attempt: int) -> Story:
        self.records.append(Effect(process="w", queue=Q, id=task_id, attempt=attempt, step="start", at=0.0))
        return self

    def claim(self, at: float, task_id: str, attempt: int = 1, seconds: float = 30.0) -> Story:
        return (
            self.lease(task_id, attempt, seconds).run(task_id, attempt).journal(at, ("claimed", task_id, attempt, "w"))
        )

    def report(
        self, task_id: str, attempt: int = 1, outcome: str = "complete", counted: bool | None = True, **fields: Any
    ) -> Story:
        self.calls += 1
        settled = [SettledTask(task_id, attempt, outcome, **fields)]
        self.records.append(Settle(process="w", call=self.calls, phase="call", queue=Q, tasks=settled))
        if counted is not None:
            self.records.append(Settle(process="w", call=self.calls, phase="ok", counted=[counted]))
        return self

    def settle(
        self,
        at: float,
        task_id: str,
        attempt: int = 1,
        outcome: str = "complete",
        event: str = "completed",
        **more: Any,
    ) -> Story:
        detail = more.pop("detail", "")
        return self.report(task_id, attempt, outcome, **more).journal(at, (event, task_id, attempt, detail))

    def final(self, task_id: str, status: str = "completed", attempt: int = 1, **fields: Any) -> Story:
        self.records.append(Final(queue=Q, id=task_id, status=status, attempt=attempt, **fields))
        return self

    def drained(self) -> Story:
        self.records.append(Drained(queue=Q))
        return self

    def add(self, *records: Record) -> Story:
        self.records += records
        return self


def done(**settings: Any) -> Story:
    """One task, submitted, claimed at 1 and completed at 2; without its final state."""
    return Story(**settings).put(0, "a").claim(1, "a").settle(2, "a")


def start(**settings: Any) -> Story:
    """One task, submitted and claimed at 1."""
    return Story(**settings).put(0, "a").claim(1, "a")


BAD: dict[str, tuple[Check, Callable[[], Story]]] = {
    # Loss
    "an acknowledged task of which there is no trace": (
        Check.LOST,
        lambda: Story().submit(SubmittedTask("a", 5)).drained(),
    ),
    "a task in the journal that is not stored at the end": (Check.LOST, lambda: done().drained()),
    "a completed task that is missing among others": (
        Check.LOST,
        lambda: done().put(3, "b").claim(4, "b").settle(5, "b").final("a").drained(),
    ),
    "a task that never ran": (Check.UNFINISHED, lambda: Story().put(0, "a").final("a", "pending", 0).drained()),
    "a task that is left with a lease": (
        Check.UNFINISHED,
        lambda: start().final("a", "processing").drained(),
    ),
    "a retry that never comes back": (
        Check.UNFINISHED,
        lambda: start().settle(2, "a", outcome="retry", event="retrying").final("a", "retrying").drained(),
    ),
    # Invention
    "a stored task that nobody submitted": (Check.INVENTED, lambda: Story().journal(0, ("enqueued", "a"))),
    "a task that was refused and is stored": (
        Check.INVENTED,
        lambda: Story().submit(SubmittedTask("a", 5), phase="fail").journal(0, ("enqueued", "a")),
    ),
    "an effect of a task that nobody knows": (Check.INVENTED, lambda: Story().run("ghost", 1)),
    "a final state that the journal does not know": (
        Check.STATE,
        lambda: Story().submit(SubmittedTask("a", 5), phase="call").final("a", "pending", 0),
    ),
    # Outcomes
    "a task that is completed twice": (Check.SECOND_OUTCOME, lambda: done().settle(3, "a")),
    "two attempts that were both told that they counted": (
        Check.SECOND_OUTCOME,
        lambda: (
            start()
            .journal(32, ("lease_expired", "a", 1))
            .claim(33, "a", 2)
            .report("a", 1)
            .settle(34, "a", 2)
            .final("a", attempt=2)
        ),
    ),
    "an outcome of an attempt that is over": (
        Check.STALE_OUTCOME,
        lambda: start().journal(32, ("lease_expired", "a", 1)).claim(33, "a", 2).settle(34, "a", 1),
    ),
    "an outcome after the lease had ended": (
        Check.STALE_OUTCOME,
        lambda: start().journal(32, ("lease_expired", "a", 1)).settle(33, "a", 1),
    ),
    "a retry after completion": (
        Check.STALE_OUTCOME,
        lambda: done().settle(3, "a", outcome="retry", event="retrying"),
    ),
    "a burial by an old attempt": (
        Check.STALE_OUTCOME,
        lambda: (
            start()
            .journal(32, ("lease_expired", "a", 1))
            .claim(33, "a", 2)
            .settle(34, "a", 1, outcome="bury", event="dead", detail="failed")
        ),
    ),
    "a release by an old attempt": (
        Check.STALE_OUTCOME,
        lambda: (
            start()
            .journal(32, ("lease_expired", "a", 1))
            .claim(33, "a", 2)
            .settle(34, "a", 1, outcome="release", event="released")
        ),
    ),
    "a worker told yes while nothing happened": (Check.UNKEPT_OUTCOME, lambda: start().report("a")),
    "a worker told yes for a task that was taken over": (
        Check.UNKEPT_OUTCOME,
        lambda: start().journal(32, ("lease_expired", "a", 1)).report("a"),
    ),
    "a failure told yes that was stored as success": (
        Check.UNKEPT_OUTCOME,
        lambda: start().settle(2, "a", outcome="bury", event="completed"),
    ),
    "a result that nobody reported": (
        Check.WRONG_RESULT,
        lambda: start().settle(2, "a", result="01").final("a", result="02"),
    ),
    "the result of a stale attempt": (
        Check.WRONG_RESULT,
        lambda: (
            start()
            .journal(32, ("lease_expired", "a", 1))
            .claim(33, "a", 2)
            .report("a", 1, counted=False, result="01")
            .settle(34, "a", 2, result="02")
            .final("a", attempt=2, result="01")
        ),
    ),
    "a result that vanished": (
        Check.WRONG_RESULT,
        lambda: start().settle(2, "a", result="01").final("a"),
    ),
    "a client shown another result": (
        Check.WRONG_RESULT,
        lambda: start().settle(2, "a", result="01").final("a", result="01").add(Read(queue=Q, id="a", result="02")),
    ),
    # Attempts and leases
    "an attempt that ran twice": (Check.DUPLICATE_RUN, lambda: done().run("a", 1)),
    "an attempt that was leased to two workers": (Check.DUPLICATE_RUN, lambda: done().lease("a", 1, worker="v")),
    "a run under an attempt that was never leased": (Check.RUN_WITHOUT_LEASE, lambda: done().run("a", 7)),
    "a completed task that never ran": (
        Check.RUN_WITHOUT_LEASE,
        lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1, "w")).journal(2, ("completed", "a", 1)),
    ),
    "an attempt number that is left out": (Check.ATTEMPTS, lambda: Story().put(0, "a").claim(1, "a", 2)),
    "an attempt number that is used again": (
        Check.ATTEMPTS,
        lambda: start().journal(32, ("lease_expired", "a", 1)).journal(33, ("claimed", "a", 1, "v")),
    ),
    "a claim of a task that is at work": (Check.LEASE_OVERLAP, lambda: start().claim(2, "a", 2)),
    "a lease taken back before its end": (
        Check.LEASE_OVERLAP,
        lambda: start().journal(20, ("lease_expired", "a", 1)),
    ),
    "a claim of a completed task": (Check.JOURNAL_MOVE, lambda: done().claim(3, "a", 2)),
    "a claim of a task before its retry is due": (
        Check.JOURNAL_MOVE,
        lambda: start().settle(2, "a", outcome="retry", event="retrying").claim(3, "a", 2),
    ),
    "a dead task that runs by itself": (
        Check.JOURNAL_MOVE,
        lambda: start().settle(2, "a", outcome="bury", event="dead", detail="failed").claim(3, "a", 2),
    ),
    "a cancelled task that runs": (
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("cancelled", "a")).claim(2, "a"),
    ),
    "a deleted task that runs": (
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("deleted", "a")).journal(2, ("claimed", "a", 1, "w")),
    ),
    "a task that runs after the queue was cleared": (
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("cleared", "")).journal(2, ("claimed", "a", 1, "w")),
    ),
    # Order and times
    "a less urgent task first": (
        Check.ORDER,
        lambda: Story().put(0, "a", priority=1).put(0, "b", priority=9).claim(1, "b"),
    ),
    "a later task first": (Check.ORDER, lambda: Story().put(0, "a").put(0, "b").claim(1, "b")),
    "a later task of the same batch first": (Check.ORDER, lambda: Story().put(0, "a", "b").claim(1, "b")),
    "a released task that lost its place": (
        Check.ORDER,
        lambda: (
            Story().put(0, "a", "b").claim(1, "a").settle(2, "a", outcome="release", event="released").claim(3, "b")
        ),
    ),
    "a task whose lease ran out and that lost its place": (
        Check.ORDER,
        lambda: Story().put(0, "a", "b").claim(1, "a").journal(32, ("lease_expired", "a", 1)).claim(33, "b"),
    ),
    "a delayed task that is claimed early": (
        Check.EARLY,
        lambda: Story().put(0, "a", delay=10.0).journal(9.5, ("due", "a")).claim(9.5, "a"),
    ),
    "a task with a time that becomes ready early": (
        Check.EARLY,
        lambda: Story().put(0, "a", execute_after=10.0).journal(9.99, ("due", "a")),
    ),
    "a retry that comes early": (
        Check.EARLY,
        lambda: start().settle(2, "a", outcome="retry", event="retrying", delay=10.0).journal(11, ("due", "a")),
    ),
    "a snoozed task that comes early": (
        Check.EARLY,
        lambda: start().settle(2, "a", outcome="snooze", event="snoozed", delay=10.0).journal(11, ("due", "a")),
    ),
    "a task that starts after it expired": (
        Check.EXPIRED_RUN,
        lambda: Story().put(0, "a", expires_at=5.0).claim(6, "a"),
    ),
    # Limits
    "one lease too many": (
        Check.CONCURRENCY,
        lambda: Story(concurrency=1).put(0, "a", "b").claim(1, "a").claim(2, "b"),
    ),
    "a leaked slot is used": (
        Check.CONCURRENCY,
        lambda: Story(concurrency=2).put(0, "a", "b", "c").claim(1, "a").claim(1, "b").claim(1, "c"),
    ),
    "more starts than the rate": (
        Check.RATE,
        lambda: Story(rate_limit=1.0, rate_burst=1).put(0, "a", "b").claim(1, "a").claim(1.5, "b"),
    ),
    "more starts at once than the burst": (
        Check.RATE,
        lambda: Story(rate_limit=1.0, rate_burst=2).put(0, "a", "b", "c").claim(1, "a").claim(1, "b").claim(1, "c"),
    ),
    "more tasks than the queue holds": (Check.SIZE, lambda: Story(max_size=1).put(0, "a", "b")),
    "a task that starts while the queue is paused": (
        Check.PAUSED,
        lambda: Story().put(0, "a").journal(1, ("paused", "")).claim(2, "a"),
    ),
    # Journal
    "a missing position": (Check.JOURNAL_GAP, lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1), position=3)),
    "a repeated position": (Check.JOURNAL_GAP, lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1), position=1)),
    "time that runs backwards": (Check.JOURNAL_GAP, lambda: Story().put(5, "a").claim(4, "a")),
    "a change of a task that is not stored": (Check.JOURNAL_MOVE, lambda: Story().journal(0, ("due", "a"))),
    "a due event of a task that was ready": (Check.JOURNAL_MOVE, lambda: Story().put(0, "a").journal(1, ("due", "a"))),
    # State
    "a state that the journal does not lead to": (Check.STATE, lambda: done().final("a", "dead")),
    "an attempt that the journal does not lead to": (Check.STATE, lambda: done().final("a", attempt=2)),
    # Identity
    "one id stored twice": (Check.STORED_TWICE, lambda: Story().put(0, "a").put(1, "a")),
    "one id acknowledged as new twice": (
        Check.STORED_TWICE,
        lambda: Story().put(0, "a").submit(SubmittedTask("a", 5)),
    ),
    # Crashes
    "a task that is buried too soon": (
        Check.CRASH_LIMIT,
        lambda: start().journal(32, ("lease_expired", "a", 1), ("dead", "a", 1, "crashed")),
    ),
    "a task that goes on crashing": (
        Check.CRASH_LIMIT,
        lambda: (
            start(max_crashes=2)
            .journal(32, ("lease_expired", "a", 1))
            .claim(33, "a", 2)
            .journal(64, ("lease_expired", "a", 2))
        ),
    ),
    # Recovery
    "a dead worker's task that is out of reach too long": (
        Check.RECOVERY,
        lambda: start(max_crashes=9).journal(40, ("lease_expired", "a", 1)),
    ),
}

GOOD: dict[str, Callable[[], Story]] = {
    "nothing": Story,
    "a task that is done": lambda: done().final("a").drained(),
    "a call without an answer, not stored": lambda: Story().submit(SubmittedTask("a", 5), phase="call").drained(),
    "a call without an answer, stored": lambda: (
        Story()
        .submit(SubmittedTask("a", 5), phase="unknown")
        .journal(0, ("enqueued", "a"))
        .claim(1, "a")
        .settle(2, "a")
        .final("a")
        .drained()
    ),
    "a repeated call that finds the task stored": lambda: (
        Story()
        .submit(SubmittedTask("a", 5), phase="unknown")
        .journal(0, ("enqueued", "a"))
        .submit(SubmittedTask("a", 5), stored=False)
        .claim(1, "a")
        .settle(2, "a")
        .final("a")
        .drained()
    ),
    "an outcome without an answer": lambda: start().settle(2, "a", counted=None).final("a").drained(),
    "a stale outcome that was refused": lambda: (
        start()
        .journal(32, ("lease_expired", "a", 1))
        .claim(33, "a", 2)
        .report("a", 1, counted=False)
        .settle(34, "a", 2)
        .final("a", attempt=2, crashes=1)
        .drained()
    ),
    "a lease that was extended": lambda: (
        start()
        .add(Extended(process="w", queue=Q, lease_seconds=30.0, tasks=[("a", 1)], states=["held"]))
        .settle(50, "a")
        .final("a")
        .drained()
    ),
    "an urgent task that comes later": lambda: (
        Story().put(0, "a", priority=9).put(1, "b", priority=1).claim(2, "b").claim(3, "a")
    ),
    "a task that crashes its workers": lambda: (
        start(max_crashes=1)
        .journal(31.5, ("lease_expired", "a", 1), ("dead", "a", 1, "crashed"))
        .final("a", "dead", crashes=1)
        .drained()
    ),
    "a requeued dead letter": lambda: (
        start()
        .settle(2, "a", outcome="bury", event="dead", detail="failed")
        .journal(3, ("requeued", "a", 1))
        .claim(4, "a", 2)
        .settle(5, "a", 2)
        .final("a", attempt=2)
        .drained()
    ),
    "a rate that is kept": lambda: Story(rate_limit=1.0, rate_burst=1).put(0, "a", "b").claim(1, "a").claim(2, "b"),
    "a cancelled task": lambda: Story().put(0, "a").journal(1, ("cancelled", "a")).final("a", "cancelled", 0).drained(),
    "a deleted task": lambda: Story().put(0, "a").journal(1, ("deleted", "a")).drained(),
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_promise_is_noticed(name: str) -> None:
    expected, tell = BAD[name]
    report = check_records(tell().records)
    assert expected in report.counts, report.violations
    assert any(violation.check is expected for violation in report.violations)


@pytest.mark.parametrize("name", GOOD)
def test_a_history_without_a_fault_passes(name: str) -> None:
    report = check_records(GOOD[name]().records)
    assert report.ok, report.violations


def test_there_are_enough_bad_histories() -> None:
    assert len(BAD) >= 40
    assert {expected for expected, _ in BAD.values()} == set(Check)


def test_a_recorded_run_passes(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    clock = ManualClock()
    storage = RecordingStorage(open_storage("memory://", clock), HistoryWriter(path), "one")
    storage.enqueue([NewTask(f"t{n}", Q, "x", n % 3, b"\x91\xc0", delay=n % 2 or None) for n in range(50)])
    for _ in range(3):
        request = ClaimRequest((Q,), "w", 100, 30)
        tasks = storage.claim(request).tasks
        storage.settle([Settlement(Q, task.id, task.attempt, Outcome.COMPLETE) for task in tasks])
        clock.advance(1)
    storage.dump(Q, drained=True)
    report = check_files([path])
    assert report.ok, report.violations
    assert (report.tasks, report.acknowledged, report.completed) == (50, 50, 50)


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    HistoryWriter(path).write(Drained(queue=Q))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:9])
    assert check_files([path]).operations == 1


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"kind": "nonsense"}\n')
    with pytest.raises(ValueError, match=r"history\.jsonl:1"):
        check_files([path])
