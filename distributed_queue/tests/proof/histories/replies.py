"""Answers that got lost, and calls that were repeated."""

from __future__ import annotations

from distributed_queue.testing.proof.records import SubmittedTask
from distributed_queue.testing.proof.violations import Check
from distributed_queue.tests.proof.histories.story import Pair, Story, again, done, lost, start

PAIRS = (
    Pair(
        "one id stored twice",
        Check.STORED_TWICE,
        lambda: Story().ask("a", phase="unknown").journal(0, ("enqueued", "a")).put(1, "a"),
        lambda: Story().ask("a", phase="unknown").journal(0, ("enqueued", "a")).ask("a", stored=False),
    ),
    Pair(
        "one id acknowledged as new twice",
        Check.STORED_TWICE,
        lambda: Story().put(0, "a").ask("a"),
        lambda: Story().put(0, "a").ask("a", stored=False),
    ),
    Pair(
        "one piece of work stored under a new id, after an answer that was lost",
        Check.STORED_TWICE,
        lambda: (
            Story()
            .submit(SubmittedTask("a", 5, work="mail 7"), phase="unknown")
            .journal(0, ("enqueued", "a"))
            .put(1, "b", work="mail 7")
        ),
        lambda: Story().submit(SubmittedTask("a", 5, work="mail 7"), phase="unknown").put(1, "b", work="mail 7"),
    ),
    Pair(
        "a call without an answer that is stored and lost again",
        Check.LOST,
        lambda: Story().ask("a", phase="unknown").journal(0, ("enqueued", "a")).claim(1, "a").settle(2).drained(),
        lambda: (
            Story().ask("a", phase="unknown").journal(0, ("enqueued", "a")).claim(1, "a").settle(2).final("a").drained()
        ),
    ),
    Pair(
        "a task of a call without an answer that runs and was not stored",
        Check.RUN_WITHOUT_LEASE,
        lambda: Story().ask("a", phase="call").lease("a", 1).run("a", 1).drained(),
        lambda: Story().ask("a", phase="call").drained(),
    ),
    Pair(
        "an outcome whose answer was lost, and that then counts once more",
        Check.SECOND_OUTCOME,
        lambda: start().settle(2, counted=None).settle(3),
        lambda: start().settle(2, counted=None).report("a"),
    ),
    Pair(
        "an outcome whose answer was lost, and another one that is then said to count",
        Check.UNKEPT_OUTCOME,
        lambda: start().settle(2, counted=None).report("a", outcome="bury"),
        lambda: start().settle(2, counted=None).report("a", outcome="bury", counted=False),
    ),
    Pair(
        "an outcome whose answer was lost, and that counts although the task was taken over",
        Check.STALE_OUTCOME,
        lambda: again().report("a", counted=None).settle(34, attempt=1, counted=None),
        lambda: again().report("a", counted=None).report("a", counted=False).settle(34, attempt=2, counted=None),
    ),
    Pair(
        "an outcome without an answer that was not stored, and a task that is left at that",
        Check.UNFINISHED,
        lambda: start().report("a", counted=None).final("a", "processing").drained(),
        lambda: (
            start()
            .report("a", counted=None)
            .expire(32)
            .claim(33, "a", 2)
            .settle(34, "a", 2)
            .final("a", attempt=2)
            .drained()
        ),
    ),
    Pair(
        "a claim whose answer was lost, and that is given out once more without being taken back",
        Check.LEASE_OVERLAP,
        lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1, "w")).claim(2, "a", 2),
        lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1, "w")).expire(32).claim(33, "a", 2),
    ),
    Pair(
        "an extension without an answer that shortens the lease",
        Check.LEASE_OVERLAP,
        lambda: start().extend(10, "a", phase="call").expire(20),
        lambda: start().extend(10, "a", phase="call").expire(41),
    ),
    Pair(
        "a task submitted in two versions that expires by neither, and starts late",
        Check.EXPIRED_RUN,
        lambda: Story().submit(SubmittedTask("a", 5, expires_at=4.0)).journal(0, ("enqueued", "a")).claim(6, "a"),
        lambda: (
            Story()
            .submit(SubmittedTask("a", 5, expires_at=4.0), phase="unknown")
            .submit(SubmittedTask("a", 5), stored=False)
            .journal(0, ("enqueued", "a"))
            .claim(6, "a")
        ),
    ),
    Pair(
        "a restarted process, and a task of its former call that was lost",
        Check.LOST,
        lambda: done().put(3, "b").final("a").drained(),
        lambda: Story().ask("x", phase="call").add(*done().final("a").drained().records),
    ),
    Pair(
        "a release without an answer after which the task has two holders",
        Check.LEASE_OVERLAP,
        lambda: start().report("a", outcome="release", counted=None).claim(3, "a", 2),
        lambda: start().release(2, counted=None).claim(3, "a", 2),
    ),
    Pair(
        "an outcome that came late and is said to count",
        Check.UNKEPT_OUTCOME,
        lambda: lost().report("a"),
        lambda: lost().report("a", counted=False),
    ),
)
