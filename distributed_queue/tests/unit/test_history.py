"""What is kept of attempts: which, in how much text, and what users see of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.core.history import HISTORY_LIMIT, AttemptOutcome, StoredAttempt, history_of
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.notes import MAX_ERROR, MAX_TRACEBACK, Note, attempt_record, decode_note, encode_note
from distributed_queue.errors import TimeLimitExceeded


def kept(*attempts: int, note: bytes | None = None) -> list[StoredAttempt]:
    return [StoredAttempt(number, AttemptOutcome.FAILED, number, number + 0.5, "w", note) for number in attempts]


def history(attempts: list[StoredAttempt], status: TaskStatus, attempt: int) -> list[tuple[int, str]]:
    found = history_of(attempts, status=status, attempt=attempt, started_at=90.0, finished_at=99.0, worker_id="last")
    return [(each.attempt, str(each.outcome)) for each in found]


@pytest.mark.parametrize(
    ("status", "last"),
    [
        (TaskStatus.PROCESSING, [(3, "running")]),
        (TaskStatus.COMPLETED, [(3, "succeeded")]),
        (TaskStatus.RETRYING, []),
        (TaskStatus.DEAD, []),
    ],
)
def test_the_attempt_that_runs_or_succeeded_is_added(status: TaskStatus, last: list[tuple[int, str]]) -> None:
    assert history(kept(2, 1), status, 3) == [(1, "failed"), (2, "failed"), *last]


def test_no_more_than_the_limit_are_told() -> None:
    attempts = kept(*range(1, HISTORY_LIMIT + 1))
    told = history(attempts, TaskStatus.COMPLETED, HISTORY_LIMIT + 1)
    assert told[0] == (2, "failed")
    assert (len(told), told[-1]) == (HISTORY_LIMIT, (HISTORY_LIMIT + 1, "succeeded"))


def test_what_ran_into_its_time_limit_has_timed_out() -> None:
    (stored,) = kept(1, note=encode_note(Note.of(2.5, TimeLimitExceeded())))
    record = attempt_record(stored)
    assert (record.outcome, record.duration, record.error_type) == (AttemptOutcome.TIMED_OUT, 2.5, "TimeLimitExceeded")


def test_without_a_note_the_times_of_the_storage_count() -> None:
    record = attempt_record(kept(1)[0])
    assert (record.outcome, record.duration, record.summary) == (AttemptOutcome.FAILED, 0.5, "")


@given(st.text(), st.none() | st.text())
def test_any_error_can_be_noted(message: str, traceback: str | None) -> None:
    note = Note.of(1.0, ValueError(message), traceback)
    assert decode_note(encode_note(note)) == note


def test_of_a_long_error_the_start_is_kept_and_the_end_of_its_traceback() -> None:
    note = Note.of(1.0, ValueError("first " + "x" * 5000), "y" * 20_000 + " last")
    assert (note.error or "").startswith("first x")
    assert (note.traceback or "").endswith("y last")
    assert (len(note.error or ""), len(note.traceback or "")) == (MAX_ERROR, MAX_TRACEBACK)


@pytest.mark.parametrize("stored", [b"", b"\xff", b"no note", b"\x91\xa1x"])
def test_a_note_that_cannot_be_read_hides_nothing_else(stored: bytes) -> None:
    record = attempt_record(kept(1, note=stored)[0])
    assert (record.attempt, record.outcome) == (1, AttemptOutcome.FAILED)
    assert record.error == "What was noted of this attempt cannot be read."
