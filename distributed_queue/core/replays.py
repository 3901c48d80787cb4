"""Whether a settlement that comes after its attempt has ended is the one that ended it, come once more.

Who settles again because a reply was lost must be told what was said first; who settles an attempt that ended in
another way must not be told that this counted. Two workers may hold the same attempt, too: where a fail-over lost a
claim, it is made again. A task's state alone does not tell, since it is pending after a release, after the delay of a
retry and after its lease ran out. Its history does. ``settle.lua`` has the same rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.records import Outcome

if TYPE_CHECKING:
    from distributed_queue.core.history import AttemptOutcome
    from distributed_queue.core.records import Settlement

DEFAULT_REASON = "failed"
"""Why a task is buried where its settlement does not say."""


def is_replay(
    settlement: Settlement, *, status: TaskStatus, kept: AttemptOutcome | None, failures: int, reason: str | None
) -> bool:
    """Of a task that does not run and was not claimed since: whether its latest attempt ended with this settlement.

    ``kept`` is what the history says of that attempt. It has the same word for a retry and a burial. What tells them
    apart is lost when the task is requeued; then it is neither.
    """
    outcome = settlement.outcome
    if outcome is Outcome.COMPLETE:
        return status is TaskStatus.COMPLETED
    if kept is not outcome.of_attempt:
        return False
    if outcome is Outcome.BURY:
        return status is TaskStatus.DEAD and reason == (settlement.reason or DEFAULT_REASON)
    return outcome is not Outcome.RETRY or (status is not TaskStatus.DEAD and failures > 0)
