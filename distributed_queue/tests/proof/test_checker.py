"""The checker passes histories in which every promise is kept, and notices each broken one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.registry import open_storage
from distributed_queue.core.storage import ClaimRequest, NewTask, Outcome, Settlement
from distributed_queue.testing.proof import HistoryWriter, RecordingStorage, check_files, check_records
from distributed_queue.testing.proof.records import Drained, Settle, Submit
from distributed_queue.testing.proof.sample import Sample
from distributed_queue.testing.proof.violations import Check
from distributed_queue.tests.proof.histories import PAIRS
from distributed_queue.tests.proof.histories.story import Q, Story, done, start

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.testing.proof.records import Record
    from distributed_queue.tests.proof.histories import Pair

BY_NAME = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.wrong)


@BY_NAME
def test_a_broken_promise_is_noticed(pair: Pair) -> None:
    report = check_records(pair.bad().records, handlers_stop=True)
    assert pair.check in report.counts, report.violations
    assert any(violation.check is pair.check for violation in report.violations)


@BY_NAME
def test_nearly_the_same_history_in_order_passes(pair: Pair) -> None:
    report = check_records(pair.good().records, handlers_stop=True)
    assert report.ok, report.violations


def test_every_check_has_a_history_that_only_it_is_there_to_notice() -> None:
    assert {pair.check for pair in PAIRS} == set(Check)
    assert len({pair.wrong for pair in PAIRS}) == len(PAIRS) > 100


def test_an_empty_history_passes() -> None:
    assert check_records([]).ok


def test_the_order_of_the_records_between_files_does_not_matter() -> None:
    records = start().extend(10, "a").settle(32, result="01").final("a", result="01").drained().records
    kinds = sorted({type(record).__name__ for record in records})
    for first in kinds:
        moved = sorted(records, key=lambda record: type(record).__name__ != first)
        assert check_records(moved).ok


def test_a_handler_that_cannot_be_stopped_may_go_on() -> None:
    story = start().expire(32).extend(33, "a", state="lost").run("a", 1, 60, step="end")
    assert check_records(story.records).ok
    assert not check_records(story.records, handlers_stop=True).ok


def test_jumped_clocks_are_no_violation() -> None:
    story = start().extend(500, "a").expire(40)
    assert not check_records(story.records).ok
    assert check_records(story.fault(5, 6, "w", "clock jump").records).ok


def test_a_claim_that_a_fail_over_may_undo_may_be_made_twice() -> None:
    def story(*, claims_last: bool) -> Story:
        return done(claims_last=claims_last).lease("a", 1, worker="v").run("a", 1, 1.5)

    assert set(check_records(story(claims_last=True).records).counts) == {Check.DUPLICATE_RUN}
    assert check_records(story(claims_last=False).records).ok


def test_a_lease_that_was_extended_is_late_from_its_new_end_even_where_a_fail_over_may_undo_that() -> None:
    report = check_records(start(claims_last=False).extend(20, "a").expire(50.5).records)
    assert report.ok, report.violations
    assert report.recovery_max == pytest.approx(0.5)


def test_what_is_missing_in_a_queue_that_was_not_let_run_empty_is_not_judged() -> None:
    report = check_records(done().records)
    assert report.ok
    assert report.undrained == [Q]
    assert check_records(done().final("a").drained().records).undrained == []


def test_figures() -> None:
    story = Story().put(0, "a", "b").claim(1, "a").claim(1, "b").settle(2, "b").expire(32).claim(33, "a", 2)
    story.bury(34, attempt=2).fault(1, 2)
    report = check_records(story.records)
    assert (report.tasks, report.acknowledged, report.completed, report.dead) == (2, 2, 1, 1)
    assert (report.attempts, report.runs, report.lease_expiries, report.faults) == (3, 3, 1, 1)
    assert report.operations == len(story.records)
    assert report.recovery_max == pytest.approx(1.0, abs=0.01)


def recorded(path: Path) -> None:
    """Let a real storage work, and record it."""
    clock = ManualClock()
    storage = RecordingStorage(open_storage("memory://", clock), HistoryWriter(path), "one", clock.now)
    storage.enqueue([NewTask(f"t{n}", Q, "x", n % 3, b"\x91\xc0", delay=n % 2 or None) for n in range(50)])
    for _ in range(3):
        request = ClaimRequest((Q,), "w", 100, 30)
        tasks = storage.claim(request).tasks
        storage.settle([Settlement(Q, task.id, task.attempt, Outcome.COMPLETE) for task in tasks])
        clock.advance(1)
    storage.dump(Q, drained=True)


def test_a_recorded_run_passes(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    recorded(path)
    report = check_files([path])
    assert report.ok, report.violations
    assert (report.tasks, report.acknowledged, report.completed) == (50, 50, 50)
    assert report.operations == len(path.read_text().splitlines())


def test_a_history_may_lie_in_several_files_in_any_order(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    recorded(whole)
    lines = whole.read_text().splitlines(keepends=True)
    parts = []
    for kind in ("final", "drained", "settle", "claimed", "journal", "submit"):
        parts.append(tmp_path / f"{kind}.jsonl")
        parts[-1].write_text("".join(line for line in lines if line.startswith(f'{{"kind":"{kind}"')))
    assert check_files(parts) == check_files([whole])


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    HistoryWriter(path).write(Drained(queue=Q))
    whole = path.read_bytes()
    for end in range(1, len(whole) - 1):
        path.write_bytes(whole + whole[:end])
        assert check_files([path]).operations == 1


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"kind":"drained","queue":"q"}\n{"kind": "nonsense"}\n')
    with pytest.raises(ValueError, match=r"history\.jsonl:2 is not a record"):
        check_files([path])


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Submit(process="c", call=9, phase="ok", stored=[True]), "call 9 of 'c' that is not recorded"),
        (Settle(process="w", call=9, phase="ok", counted=[True]), "call 9 of 'w' that is not recorded"),
        (Submit(process="c", call=1, phase="ok", stored=[True, True]), "2 answers for 1 tasks"),
        (Settle(process="w", call=2, phase="ok", counted=[]), "0 answers for 1 outcomes"),
    ],
    ids=["a submit without a call", "a settle without a call", "answers too many", "answers too few"],
)
def test_a_record_that_cannot_be_is_named(tmp_path: Path, record: Record, said: str) -> None:
    path = tmp_path / "history.jsonl"
    story = Story().ask("a", phase="call").report("a", counted=None)
    HistoryWriter(path).write(*story.records, record)
    with pytest.raises(ValueError, match=rf"history\.jsonl:{len(story.records) + 1} cannot be.*{said}"):
        check_files([path])


def test_a_long_history_passes_until_a_record_of_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    Sample(path).write(2000)
    report = check_files([path])
    assert report.ok, report.violations
    assert (report.tasks, report.completed) == (2000, 2000)
    assert report.attempts > report.tasks
    lines = path.read_bytes().splitlines(keepends=True)
    kinds = (b'"journal"', b'"final"', b'"claimed"')
    for kind in kinds:
        missing = next(index for index, line in enumerate(lines) if index > len(lines) // 2 and kind in line)
        path.write_bytes(b"".join(lines[:missing] + lines[missing + 1 :]))
        assert check_files([path]).ok == (kind == b'"claimed"')  # an answer that was lost: that may be
