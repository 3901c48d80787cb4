"""What becomes of a task whose handler did not return: a pure rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core.retry import DEFAULT_RULE
from distributed_queue.core.storage import Outcome
from distributed_queue.core.task import DEFAULT_MAX_RETRIES
from distributed_queue.errors import DeadLetter, Discard, InvalidArguments, InvalidResult, RetryLater, Snooze

if TYPE_CHECKING:
    from distributed_queue.core.retry import Retry
    from distributed_queue.core.task import Task


class Judgement(NamedTuple):
    """An outcome with what goes with it."""

    outcome: Outcome
    delay: float = 0.0
    """Seconds, for ``RETRY`` and ``SNOOZE``."""
    reason: str | None = None
    """For ``BURY``: why no retry could help; None where the retries are used up."""


def judge(error: BaseException, task: Task, rule: Retry | None, age: float) -> Judgement:
    """What ``error`` leads to, under the handler's rule.

    ``task.retry_count`` is the failures before this one, ``age`` the seconds since the task was submitted.
    """
    said = _said(error)
    if said is not None:
        return said
    rule = rule or DEFAULT_RULE
    if isinstance(error, RetryLater):
        delay = error.delay
    elif rule.counts(error):
        delay = rule.next_delay(error, task.retry_count + 1, task.retry)
    else:
        return Judgement(Outcome.BURY, reason="not-retried")
    if task.retry_count >= _max_retries(task, rule):
        return Judgement(Outcome.BURY)
    if rule.max_elapsed is not None and age + delay > rule.max_elapsed:
        return Judgement(Outcome.BURY, reason="max-elapsed")
    return Judgement(Outcome.RETRY, delay)


def _said(error: BaseException) -> Judgement | None:
    """What an error leads to whatever the rule is; None if that is for the rule to say."""
    if isinstance(error, Snooze):
        return Judgement(Outcome.SNOOZE, error.delay)
    if isinstance(error, Discard):
        return Judgement(Outcome.CANCEL)
    if isinstance(error, DeadLetter):
        return Judgement(Outcome.BURY, reason=error.reason)
    if isinstance(error, (InvalidArguments, InvalidResult)):
        # The same again would end the same way.
        return Judgement(Outcome.BURY, reason=error.code)
    return None


def _max_retries(task: Task, rule: Retry) -> int:
    # A task that says what is the default anyway cannot be told from one that says nothing; the handler's word counts.
    if rule.max_retries is not None and task.max_retries == DEFAULT_MAX_RETRIES:
        return rule.max_retries
    return task.max_retries
