"""The life of one task, in the order in which it happened, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core.history import AttemptOutcome
from distributed_queue.core.lifecycle import Event, TaskStatus
from distributed_queue.dashboard.formats import duration
from distributed_queue.observability.attempts import retries

if TYPE_CHECKING:
    from distributed_queue.core.notes import AttemptRecord
    from distributed_queue.core.task import Task
    from distributed_queue.dashboard.desk import Detail

_WORDS = {
    Event.LEASE_EXPIRED: "lease expired",
    Event.CANCEL_REQUESTED: "cancellation asked for",
}
_ENDS = {
    TaskStatus.COMPLETED: Event.COMPLETED,
    TaskStatus.DEAD: Event.DEAD,
    TaskStatus.CANCELLED: Event.CANCELLED,
    TaskStatus.EXPIRED: Event.EXPIRED,
}

_ENDINGS = {
    AttemptOutcome.SUCCEEDED: Event.COMPLETED,
    AttemptOutcome.FAILED: Event.RETRYING,
    AttemptOutcome.TIMED_OUT: Event.RETRYING,
    AttemptOutcome.CRASHED: Event.LEASE_EXPIRED,
    AttemptOutcome.SNOOZED: Event.SNOOZED,
    AttemptOutcome.RELEASED: Event.RELEASED,
    AttemptOutcome.CANCELLED: Event.CANCELLED,
}
_LONGEST_NOTE = 160


class Step(NamedTuple):
    """One thing that happened, or is to happen."""

    event: str
    word: str
    at: float | None
    note: str = ""
    since: float | None = None
    """Seconds since the step before."""
    ahead: bool = False


def steps(detail: Detail) -> list[Step]:
    """From the journal where it still has the task, and from the task's own times where it has not."""
    task = detail.task
    known: dict[tuple[str, int], Step] = {}
    for happened in detail.history:
        change = happened.change
        known[change.event, change.attempt] = Step(
            change.event,
            _WORDS.get(Event(change.event), change.event) if change.event in set(Event) else change.event,
            happened.at,
            _note(change.event, change.attempt, change.detail),
        )
    for attempt in task.history:
        _tell(known, attempt, died=task.status is TaskStatus.DEAD and attempt.attempt == task.attempt)
    found = sorted([*known.values(), *_missing(task, {event for event, _ in known})], key=lambda step: step.at or 0.0)
    timed = [
        step._replace(since=step.at - before.at if before and step.at and before.at else None)
        for before, step in zip([None, *found], found, strict=False)
    ]
    return timed + _ahead(detail)


def whats_next(detail: Detail, now: float) -> str:
    """A sentence that says what the task waits for, and why."""
    task = detail.task
    when = f"in {duration(max(0.0, (task.execute_after or now) - now))}"
    if task.status is TaskStatus.RETRYING:
        error = f" ({task.error.partition(':')[0]})" if task.error else ""
        tries = f"it is {retries(task)}"
        return f"Next try {when}, because attempt {task.attempt} failed{error}; {tries}. {_backoff(task)}"
    if task.status is TaskStatus.SCHEDULED:
        return f"Runs {when}: it was submitted, or snoozed, for then."
    if task.status is TaskStatus.PENDING:
        return "Waits for a worker that takes from its queue and knows its type."
    if task.status is TaskStatus.PROCESSING:
        limit = f" Its time limit is {duration(task.timeout)}." if task.timeout else " It has no time limit."
        asked = " Cancellation was asked for; the worker is told with its next beat." if task.cancel_requested else ""
        return f"Runs on {task.worker_id}.{limit}{asked}"
    if task.status is TaskStatus.DEAD:
        tries = "1 attempt" if task.attempt == 1 else f"{task.attempt:,} attempts"
        last = f", the last one {retries(task)}" if retries(task) else ""
        return f"Dead ({task.reason or 'failed'}) after {tries}{last}. It stays until someone retries or deletes it."
    return ""


def _tell(known: dict[tuple[str, int], Step], attempt: AttemptRecord, *, died: bool) -> None:
    """Add what an attempt's record knows and the journal does not, or not any more."""
    number = attempt.attempt
    by = f", by {attempt.worker_id}" if attempt.worker_id else ""
    known.setdefault(
        (Event.CLAIMED, number), Step(Event.CLAIMED, "claimed", attempt.started_at, f"attempt {number}{by}")
    )
    if attempt.ended_at is None:
        return
    event, note = _ENDINGS[attempt.outcome], _ending(attempt)
    if event is Event.RETRYING and (died or (Event.DEAD, number) in known):
        event = Event.DEAD
    told = known.get((event, number))
    if told is None:
        known[event, number] = Step(event, _WORDS.get(event, str(event)), attempt.ended_at, note)
    else:
        known[event, number] = told._replace(note="; ".join(filter(None, (told.note, note))))


def _ending(attempt: AttemptRecord) -> str:
    took = "" if attempt.duration is None else f" after {duration(attempt.duration)}"
    text = attempt.summary[:_LONGEST_NOTE]
    return f"attempt {attempt.attempt} {str(attempt.outcome).replace('_', ' ')}{took}{': ' if text else ''}{text}"


def _backoff(task: Task) -> str:
    if task.retry is None:
        return "The delay is the worker's for this type, or the default: exponential from 2 s, up to 10 min."
    return f"The task has a retry policy of its own: {task.retry.backoff}, from {duration(task.retry.base)}."


def _note(event: str, attempt: int, detail: str) -> str:
    if event == Event.CLAIMED:
        return f"attempt {attempt}, by {detail}" if detail else f"attempt {attempt}"
    return detail


def _missing(task: Task, known: set[str]) -> list[Step]:
    """Steps that the task's own times tell of, and that the journal did not."""
    found = []
    if Event.ENQUEUED not in known and task.created_at is not None:
        found.append(Step(Event.ENQUEUED, "enqueued", task.created_at))
    if Event.CLAIMED not in known and task.started_at is not None:
        found.append(Step(Event.CLAIMED, "claimed", task.started_at, f"attempt {task.attempt}"))
    end = _ENDS.get(task.status)
    if end is not None and end not in known and task.finished_at is not None:
        found.append(Step(end, str(end), task.finished_at, task.reason or ""))
    return found


def _ahead(detail: Detail) -> list[Step]:
    task, stored = detail.task, detail.stored
    if task.status in {TaskStatus.RETRYING, TaskStatus.SCHEDULED}:
        return [Step("due", "due", stored.due_at, ahead=True)]
    if task.status is TaskStatus.PROCESSING:
        return [Step("lease", "lease ends", stored.lease_expires_at, "unless the worker extends it", ahead=True)]
    return []
