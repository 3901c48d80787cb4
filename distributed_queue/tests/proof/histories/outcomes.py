"""How attempts end, and what they leave behind."""

from __future__ import annotations

from distributed_queue.testing.proof.violations import Check
from distributed_queue.tests.proof.histories.story import Pair, Story, again, done, lost, start

_LONG = "ab" * 100

PAIRS = (
    Pair(
        "a task that is completed twice",
        Check.SECOND_OUTCOME,
        lambda: done().settle(3),
        lambda: done().report("a"),
    ),
    Pair(
        "two attempts that were both told that they completed it",
        Check.SECOND_OUTCOME,
        lambda: again().report("a", 1).settle(34, "a", 2).final("a", attempt=2),
        lambda: again().report("a", 1, counted=False).settle(34, "a", 2).final("a", attempt=2),
    ),
    Pair(
        "an outcome of an attempt that is over",
        Check.STALE_OUTCOME,
        lambda: again().settle(34, "a", 1),
        lambda: again().settle(34, "a", 2),
    ),
    Pair(
        "an outcome after the lease was taken back",
        Check.STALE_OUTCOME,
        lambda: lost().settle(33),
        lambda: start().settle(33),  # a lease that ran out is held until it is taken back
    ),
    Pair(
        "a retry after completion",
        Check.STALE_OUTCOME,
        lambda: done().retry(3),
        lambda: done().report("a", outcome="retry", counted=False),
    ),
    Pair(
        "a burial by an old attempt",
        Check.STALE_OUTCOME,
        lambda: again().bury(34, attempt=1),
        lambda: again().bury(34, attempt=2),
    ),
    Pair(
        "a release by an old attempt",
        Check.STALE_OUTCOME,
        lambda: again().release(34, attempt=1),
        lambda: again().release(34, attempt=2),
    ),
    Pair(
        "progress written by an old attempt",
        Check.STALE_OUTCOME,
        lambda: again().journal(34, ("updated", "a", 1)),
        lambda: again().journal(34, ("updated", "a", 2)),
    ),
    Pair(
        "a worker told yes while nothing happened",
        Check.UNKEPT_OUTCOME,
        lambda: start().report("a"),
        lambda: start().settle(2),
    ),
    Pair(
        "a failure told yes that is stored as success",
        Check.UNKEPT_OUTCOME,
        lambda: start().settle(2, outcome="bury", event="completed"),
        lambda: start().settle(2, outcome="complete", event="completed"),
    ),
    Pair(
        "a burial told yes of a task that is dead because it crashed",
        Check.UNKEPT_OUTCOME,
        lambda: (
            start(max_crashes=1)
            .journal(32, ("lease_expired", "a", 1), ("dead", "a", 1, "crashed"))
            .report("a", outcome="bury")
        ),
        lambda: (
            start(max_crashes=1)
            .journal(32, ("lease_expired", "a", 1), ("dead", "a", 1, "crashed"))
            .report("a", outcome="bury", counted=False)
        ),
    ),
    Pair(
        "a retry told yes by a worker whose lease was lost",
        Check.UNKEPT_OUTCOME,
        lambda: lost().report("a", outcome="retry"),
        lambda: lost().journal(33, ("cancelled", "a", 1)).report("a", outcome="retry"),  # it would be cancelled, too
    ),
    Pair(
        "a release told yes of an attempt that had ended with a retry",
        Check.UNKEPT_OUTCOME,
        lambda: start().settle(2, outcome="retry", event="retrying").report("a", outcome="release"),
        lambda: start().settle(2, outcome="retry", event="retrying").report("a", outcome="release", counted=False),
    ),
    Pair(
        "a release told yes by a worker whose lease was lost",
        Check.UNKEPT_OUTCOME,
        lambda: lost().report("a", outcome="release"),
        lambda: lost().report("a", outcome="release", counted=False),
    ),
    Pair(
        "an outcome told yes of a task of which there is no trace",
        Check.UNKEPT_OUTCOME,
        lambda: Story().ask("a", phase="unknown").report("a"),
        lambda: Story().ask("a", phase="unknown").report("a", counted=False),
    ),
    Pair(
        "an outcome told yes that was not kept before the task was deleted",
        Check.UNKEPT_OUTCOME,
        lambda: start().bury(2).journal(3, ("deleted", "a")).report("a", outcome="complete"),
        lambda: start().settle(2).journal(3, ("deleted", "a")),
    ),
    Pair(
        "a task that is dead where a retry was reported",
        Check.UNASKED_OUTCOME,
        lambda: start().settle(2, outcome="retry", event="dead", detail="failed", counted=None),
        lambda: start().settle(2, outcome="bury", event="dead", detail="failed", counted=None),
    ),
    Pair(
        "a task that is completed where nothing was reported of it",
        Check.UNASKED_OUTCOME,
        lambda: done().put(3, "b").claim(4, "b").journal(5, ("completed", "b", 1)),
        lambda: done().put(3, "b").claim(4, "b").settle(5, "b", counted=None),
    ),
    Pair(
        "a task that vanishes although nobody deleted it",
        Check.UNASKED_OUTCOME,
        lambda: Story(controls_recorded=True).put(0, "a").journal(1, ("deleted", "a")),
        lambda: Story(controls_recorded=True).put(0, "a").control("delete", "a").journal(1, ("deleted", "a")),
    ),
    Pair(
        "a queue that is cleared although nobody asked for it",
        Check.UNASKED_OUTCOME,
        lambda: Story(controls_recorded=True).put(0, "a").control("delete", "a").journal(1, ("cleared", "")),
        lambda: Story(controls_recorded=True).put(0, "a").control("clear").journal(1, ("cleared", "")),
    ),
    Pair(
        "a task that is cancelled although nobody asked for it",
        Check.UNASKED_OUTCOME,
        lambda: Story(controls_recorded=True).put(0, "a").control("cancel", "b").journal(1, ("cancelled", "a")),
        lambda: Story(controls_recorded=True).put(0, "a").control("cancel", "a").journal(1, ("cancelled", "a")),
    ),
    Pair(
        "a dead letter that runs again although nobody asked for it",
        Check.UNASKED_OUTCOME,
        lambda: start(controls_recorded=True).bury(2).journal(3, ("requeued", "a", 1)),
        lambda: start(controls_recorded=False).bury(2).journal(3, ("requeued", "a", 1)),
    ),
    Pair(
        "a release where cancellation had been asked for",
        Check.JOURNAL_MOVE,
        lambda: start().journal(2, ("cancel_requested", "a", 1)).release(3),
        lambda: start().journal(2, ("cancel_requested", "a", 1)).settle(3, outcome="release", event="cancelled"),
    ),
    Pair(
        "a task that runs again after it was lost, where cancellation had been asked for",
        Check.JOURNAL_MOVE,
        lambda: start().journal(2, ("cancel_requested", "a", 1)).expire(32),
        lambda: (
            start()
            .journal(2, ("cancel_requested", "a", 1))
            .journal(32, ("lease_expired", "a", 1), ("cancelled", "a", 1))
        ),
    ),
    Pair(
        "a result that nobody reported",
        Check.WRONG_RESULT,
        lambda: start().settle(2, result="01").final("a", result="02"),
        lambda: start().settle(2, result="01").final("a", result="01"),
    ),
    Pair(
        "a long result of which the last byte is another",
        Check.WRONG_RESULT,
        lambda: start().settle(2, result=_LONG).final("a", result=_LONG[:-2] + "cd"),
        lambda: start().settle(2, result=_LONG).final("a", result=_LONG),
    ),
    Pair(
        "the result of a stale attempt",
        Check.WRONG_RESULT,
        lambda: (
            again()
            .report("a", 1, counted=False, result="01")
            .settle(34, "a", 2, result="02")
            .final("a", attempt=2, result="01")
        ),
        lambda: (
            again()
            .report("a", 1, counted=False, result="01")
            .settle(34, "a", 2, result="02")
            .final("a", attempt=2, result="02")
        ),
    ),
    Pair(
        "a result that vanished",
        Check.WRONG_RESULT,
        lambda: start().settle(2, result="01").final("a"),
        lambda: start().settle(2).final("a"),
    ),
    Pair(
        "a client shown another result",
        Check.WRONG_RESULT,
        lambda: start().settle(2, result="01").final("a", result="01").read("a", "02"),
        lambda: start().settle(2, result="01").final("a", result="01").read("a", "01"),
    ),
    Pair(
        "a client shown the result of a task that is dead",
        Check.WRONG_RESULT,
        lambda: start().bury(2).final("a", "dead").read("a", "01"),
        lambda: start().settle(2, result="01").read("a", "01"),
    ),
    Pair(
        "a client shown another result, of a task that retention removed",
        Check.WRONG_RESULT,
        lambda: start().settle(2, result="01").read("a", "02").drained(trimmed=1),
        lambda: start().settle(2, result="01").read("a", "01").drained(trimmed=1),
    ),
)
