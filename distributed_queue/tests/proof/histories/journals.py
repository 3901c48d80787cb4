"""Journals with gaps, and moves that the life cycle does not have."""

from __future__ import annotations

from distributed_queue.testing.proof.violations import Check
from distributed_queue.tests.proof.histories.story import Pair, Story, done, start

PAIRS = (
    Pair(
        "a missing position",
        Check.JOURNAL_GAP,
        lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1), position=3),
        lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1), position=2),
    ),
    Pair(
        "a repeated position",
        Check.JOURNAL_GAP,
        lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1), position=1),
        lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1)),
    ),
    Pair(
        "a journal whose beginning was trimmed",
        Check.JOURNAL_GAP,
        lambda: Story().ask("a").journal(0, ("enqueued", "a"), position=5),
        lambda: Story().ask("a").journal(0, ("enqueued", "a"), position=1),
    ),
    Pair(
        "a journal whose end was cut off",
        Check.STATE,
        lambda: start().report("a", counted=None).final("a").drained(),
        lambda: start().settle(2, counted=None).final("a").drained(),
    ),
    Pair(
        "a task without any journal",
        Check.STATE,
        lambda: Story().ask("a").lease("a", 1).run("a", 1).report("a").final("a").drained(),
        lambda: done().final("a").drained(),
    ),
    Pair(
        "time that runs backwards",
        Check.JOURNAL_GAP,
        lambda: Story().put(5, "a").claim(4, "a"),
        lambda: Story().put(5, "a").claim(5, "a"),
    ),
    Pair(
        "positions that two queues share",
        Check.JOURNAL_GAP,
        lambda: Story().put(0, "a").journal(1, ("paused", ""), queue="other"),
        lambda: Story().put(0, "a").journal(1, ("paused", ""), queue="other", position=1),
    ),
    Pair(
        "a change of a task that is not stored",
        Check.JOURNAL_MOVE,
        lambda: Story().journal(0, ("due", "a")),
        lambda: Story().put(0, "a", delay=1.0).journal(1, ("due", "a")),
    ),
    Pair(
        "a change without a task",
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("claimed", "", 1)),
        lambda: Story().put(0, "a").journal(1, ("configured", "")),
    ),
    Pair(
        "an event that nobody knows",
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("improved", "a")),
        lambda: Story().put(0, "a").journal(1, ("updated", "a")),
    ),
    Pair(
        "a due event of a task that was ready",
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("due", "a")),
        lambda: Story().put(0, "a", delay=0.5).journal(1, ("due", "a")),
    ),
    Pair(
        "a claim of a completed task",
        Check.JOURNAL_MOVE,
        lambda: done().claim(3, "a", 2),
        lambda: done().put(3, "b").claim(3, "b"),
    ),
    Pair(
        "a completed task that is requeued",
        Check.JOURNAL_MOVE,
        lambda: done().journal(3, ("requeued", "a", 1)),
        lambda: start().bury(2).journal(3, ("requeued", "a", 1)),
    ),
    Pair(
        "a claim of a task before its retry is due",
        Check.JOURNAL_MOVE,
        lambda: start().retry(2).claim(12, "a", 2),
        lambda: start().retry(2).journal(12, ("due", "a")).claim(12, "a", 2),
    ),
    Pair(
        "a dead task that runs by itself",
        Check.JOURNAL_MOVE,
        lambda: start().bury(2).claim(3, "a", 2),
        lambda: start().bury(2).journal(3, ("requeued", "a", 1)).claim(3, "a", 2),
    ),
    Pair(
        "a cancelled task that runs",
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("cancelled", "a")).claim(2, "a"),
        lambda: Story().put(0, "a").claim(1, "a").journal(2, ("cancel_requested", "a", 1)).settle(3),
    ),
    Pair(
        "an expired task that runs",
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a", expires_at=1.0).journal(1, ("expired", "a")).claim(2, "a"),
        lambda: Story().put(0, "a", expires_at=1.0).claim(0.5, "a").settle(2),
    ),
    Pair(
        "a deleted task that runs",
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("deleted", "a")).journal(2, ("claimed", "a", 1, "w")),
        lambda: Story().put(0, "a").journal(1, ("deleted", "a")).put(2, "a").journal(2, ("claimed", "a", 1, "w")),
    ),
    Pair(
        "a running task that is deleted",
        Check.JOURNAL_MOVE,
        lambda: start().journal(2, ("deleted", "a")),
        lambda: start().settle(2).journal(3, ("deleted", "a")),
    ),
    Pair(
        "a task that runs after its queue was cleared",
        Check.JOURNAL_MOVE,
        lambda: Story().put(0, "a").journal(1, ("cleared", "")).journal(2, ("claimed", "a", 1, "w")),
        lambda: Story().put(0, "a").journal(1, ("cleared", "")).put(2, "b").journal(2, ("claimed", "b", 1, "w")),
    ),
)
