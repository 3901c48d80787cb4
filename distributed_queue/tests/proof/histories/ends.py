"""What is lost, left over, invented, or not as it should be at the end."""

from __future__ import annotations

from distributed_queue.testing.proof.violations import Check
from distributed_queue.tests.proof.histories.story import Pair, Story, again, done, start

PAIRS = (
    Pair(
        "an acknowledged task of which there is no trace",
        Check.LOST,
        lambda: Story().ask("a").drained(),
        lambda: Story().ask("a", phase="unknown").drained(),
    ),
    Pair(
        "an acknowledged task of which there is no trace, in a queue that was not let run empty",
        Check.LOST,
        lambda: Story().ask("a"),
        lambda: Story().put(0, "a"),
    ),
    Pair(
        "a task in the journal that is not stored at the end",
        Check.LOST,
        lambda: done().drained(),
        lambda: done().final("a").drained(),
    ),
    Pair(
        "a completed task that is missing among others",
        Check.LOST,
        lambda: done().put(3, "b").claim(4, "b").settle(5, "b").final("a").drained(),
        lambda: done().put(3, "b").claim(4, "b").settle(5, "b").final("a").final("b").drained(),
    ),
    Pair(
        "more tasks missing than retention removed",
        Check.LOST,
        lambda: done().put(3, "b").claim(4, "b").settle(5, "b").drained(trimmed=1),
        lambda: done().put(3, "b").claim(4, "b").settle(5, "b").drained(trimmed=2),
    ),
    Pair(
        "a dead letter missing where retention removed something",
        Check.LOST,
        lambda: start().bury(2).drained(trimmed=1),
        lambda: start().bury(2).final("a", "dead").drained(trimmed=1),
    ),
    Pair(
        "a task said to be known of which there is no trace",
        Check.LOST,
        lambda: Story().ask("a", stored=False).drained(),
        lambda: Story().put(0, "a").ask("a", stored=False).claim(1, "a").settle(2).final("a").drained(),
    ),
    Pair(
        "a task that went to another queue than its client named",
        Check.LOST,
        lambda: Story().ask("a").journal(0, ("enqueued", "a"), queue="other"),
        lambda: Story().ask("a").journal(0, ("enqueued", "a")),
    ),
    Pair(
        "a task that never ran",
        Check.UNFINISHED,
        lambda: Story().put(0, "a").final("a", "pending", 0).drained(),
        lambda: Story().put(0, "a").final("a", "pending", 0),
    ),
    Pair(
        "a task that is left with a lease",
        Check.UNFINISHED,
        lambda: start().final("a", "processing").drained(),
        lambda: start().settle(2).final("a").drained(),
    ),
    Pair(
        "a retry that never comes back",
        Check.UNFINISHED,
        lambda: start().retry(2).final("a", "retrying").drained(),
        lambda: (
            start()
            .retry(2)
            .journal(12, ("due", "a"))
            .claim(12, "a", 2)
            .settle(13, "a", 2)
            .final("a", attempt=2)
            .drained()
        ),
    ),
    Pair(
        "a requeued dead letter that never runs",
        Check.UNFINISHED,
        lambda: start().bury(2).journal(3, ("requeued", "a", 1)).final("a", "pending").drained(),
        lambda: (
            start()
            .bury(2)
            .journal(3, ("requeued", "a", 1))
            .claim(4, "a", 2)
            .settle(5, "a", 2)
            .final("a", attempt=2)
            .drained()
        ),
    ),
    Pair(
        "a stored task that nobody submitted",
        Check.INVENTED,
        lambda: Story().journal(0, ("enqueued", "a")),
        lambda: Story().ask("a", phase="call").journal(0, ("enqueued", "a")),
    ),
    Pair(
        "a task that was refused and is stored",
        Check.INVENTED,
        lambda: Story().ask("a", phase="fail").journal(0, ("enqueued", "a")),
        lambda: Story().ask("a", phase="fail").ask("a").journal(0, ("enqueued", "a")),
    ),
    Pair(
        "one task of a refused batch that is stored",
        Check.INVENTED,
        lambda: Story().ask("a", "b", phase="fail").journal(0, ("enqueued", "a")),
        lambda: Story().ask("a", "b", phase="fail").put(0, "a"),
    ),
    Pair(
        "an effect of a task that nobody knows",
        Check.INVENTED,
        lambda: done().run("ghost", 1),
        done,
    ),
    Pair(
        "a final state that the journal does not know",
        Check.STATE,
        lambda: Story().ask("a", phase="call").final("a", "pending", 0),
        lambda: Story().ask("a", phase="call").journal(0, ("enqueued", "a")).final("a", "pending", 0),
    ),
    Pair(
        "a state that the journal does not lead to",
        Check.STATE,
        lambda: done().final("a", "dead"),
        lambda: done().final("a", "completed"),
    ),
    Pair(
        "an attempt that the journal does not lead to",
        Check.STATE,
        lambda: again().settle(34, "a", 2).final("a", attempt=1),
        lambda: again().settle(34, "a", 2).final("a", attempt=2),
    ),
    Pair(
        "a deleted task that is stored at the end",
        Check.STATE,
        lambda: Story().put(0, "a").journal(1, ("deleted", "a")).final("a", "pending", 0).drained(),
        lambda: Story().put(0, "a").journal(1, ("deleted", "a")).drained(),
    ),
    Pair(
        "a task that outlived the clearing of its queue",
        Check.STATE,
        lambda: Story().put(0, "a").journal(1, ("cleared", "")).final("a", "pending", 0).drained(),
        lambda: Story().put(0, "a").journal(1, ("cleared", "")).drained(),
    ),
    Pair(
        "one id that is there twice at the end",
        Check.STORED_TWICE,
        lambda: done().final("a").final("a").drained(),
        lambda: done().final("a").drained(),
    ),
)
