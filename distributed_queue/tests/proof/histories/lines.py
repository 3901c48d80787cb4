"""Order, times and limits."""

from __future__ import annotations

from distributed_queue.testing.proof.records import SubmittedTask
from distributed_queue.testing.proof.violations import Check
from distributed_queue.tests.proof.histories.story import Pair, Story, start

PAIRS = (
    Pair(
        "a less urgent task first",
        Check.ORDER,
        lambda: Story().put(0, "a", priority=1).put(0, "b", priority=9).claim(1, "b"),
        lambda: Story().put(0, "a", priority=9).put(0, "b", priority=1).claim(1, "b"),
    ),
    Pair(
        "a later task first",
        Check.ORDER,
        lambda: Story().put(0, "a").put(0, "b").claim(1, "b"),
        lambda: Story().put(0, "a").put(0, "b").claim(1, "a"),
    ),
    Pair(
        "a later task of the same batch first",
        Check.ORDER,
        lambda: Story().put(0, "a", "b").claim(1, "b"),
        lambda: Story().put(0, "a", "b").claim(1, "a").claim(1, "b"),
    ),
    Pair(
        "a later task first, where order is promised",
        Check.ORDER,
        lambda: Story(strict_order=True).put(0, "a").put(0, "b").claim(1, "b"),
        lambda: Story(strict_order=False).put(0, "a").put(0, "b").claim(1, "b"),
    ),
    Pair(
        "a batch that is stored backwards",
        Check.ORDER,
        lambda: Story().ask("a", "b").journal(0, ("enqueued", "b"), ("enqueued", "a")),
        lambda: Story().ask("a").ask("b").journal(0, ("enqueued", "b"), ("enqueued", "a")),
    ),
    Pair(
        "a released task that lost its place",
        Check.ORDER,
        lambda: Story().put(0, "a", "b").claim(1, "a").release(2).claim(3, "b"),
        lambda: Story().put(0, "a", "b").claim(1, "a").release(2).claim(3, "a", 2),
    ),
    Pair(
        "a task whose lease ran out and that lost its place",
        Check.ORDER,
        lambda: Story().put(0, "a", "b").claim(1, "a").expire(32).claim(33, "b"),
        lambda: Story().put(0, "a", "b").claim(1, "a").expire(32).claim(33, "a", 2),
    ),
    Pair(
        "a requeued task that jumps the line",
        Check.ORDER,
        lambda: start().bury(2).put(3, "b").journal(4, ("requeued", "a", 1)).claim(5, "a", 2),
        lambda: start().bury(2).put(3, "b").journal(4, ("requeued", "a", 1)).claim(5, "b"),
    ),
    Pair(
        "tasks that become ready in one step, the later one first",
        Check.ORDER,
        lambda: Story().put(0, "a", delay=1.0).put(0, "b", delay=2.0).journal(3, ("due", "b"), ("due", "a")),
        lambda: Story().put(0, "a", delay=1.0).put(0, "b", delay=2.0).journal(3, ("due", "a"), ("due", "b")),
    ),
    Pair(
        "a delayed task that stands before one that was ready",
        Check.ORDER,
        lambda: Story().put(0, "a", delay=1.0).put(0, "b").journal(2, ("due", "a")).claim(2, "a"),
        lambda: Story().put(0, "a", delay=1.0).put(0, "b").journal(2, ("due", "a")).claim(2, "b").claim(2, "a"),
    ),
    Pair(
        "a task that overtakes another, whose priority was changed",
        Check.ORDER,
        lambda: Story().put(0, "a").put(0, "b").put(0, "c").journal(1, ("updated", "c")).claim(2, "b"),
        lambda: Story().put(0, "a").put(0, "b").put(0, "c").journal(1, ("updated", "a")).claim(2, "b"),
    ),
    Pair(
        "a delayed task that is claimed early",
        Check.EARLY,
        lambda: Story().put(0, "a", delay=10.0).journal(9.5, ("due", "a")).claim(9.5, "a"),
        lambda: Story().put(0, "a", delay=10.0).journal(10, ("due", "a")).claim(10, "a"),
    ),
    Pair(
        "a task with a time that becomes ready early",
        Check.EARLY,
        lambda: Story().put(0, "a", execute_after=10.0).journal(9.99, ("due", "a")),
        lambda: Story().put(0, "a", execute_after=10.0).journal(10.0, ("due", "a")),
    ),
    Pair(
        "a task with both, that becomes ready by the earlier one",
        Check.EARLY,
        lambda: Story().put(0, "a", execute_after=10.0, delay=5.0).journal(5.0, ("due", "a")),
        lambda: Story().put(0, "a", execute_after=10.0, delay=5.0).journal(10.0, ("due", "a")),
    ),
    Pair(
        "a retry that comes early",
        Check.EARLY,
        lambda: start().retry(2).journal(11, ("due", "a")),
        lambda: start().retry(2).journal(12, ("due", "a")),
    ),
    Pair(
        "a snoozed task that comes early",
        Check.EARLY,
        lambda: start().settle(2, outcome="snooze", event="snoozed", delay=10.0).journal(11, ("due", "a")),
        lambda: start().settle(2, outcome="snooze", event="snoozed", delay=10.0).journal(12, ("due", "a")),
    ),
    Pair(
        "a task that starts after it expired",
        Check.EXPIRED_RUN,
        lambda: Story().put(0, "a", expires_at=5.0).claim(6, "a"),
        lambda: Story().put(0, "a", expires_at=5.0).claim(4, "a"),
    ),
    Pair(
        "a task that starts in the moment in which it expires",
        Check.EXPIRED_RUN,
        lambda: Story().put(0, "a", expires_at=5.0).claim(5, "a"),
        lambda: Story().put(0, "a", expires_at=5.0).journal(5, ("expired", "a")),
    ),
    Pair(
        "a task that expires before its time",
        Check.EXPIRED_RUN,
        lambda: Story().put(0, "a", expires_at=5.0).journal(4.9, ("expired", "a")),
        lambda: Story().put(0, "a", expires_at=5.0).journal(5.0, ("expired", "a")),
    ),
    Pair(
        "a task without an end that expires",
        Check.EXPIRED_RUN,
        lambda: Story().put(0, "a").journal(9, ("expired", "a")),
        lambda: Story().put(0, "a", expires_at=9.0).journal(9, ("expired", "a")),
    ),
    Pair(
        "one lease too many",
        Check.CONCURRENCY,
        lambda: Story(concurrency=1).put(0, "a", "b").claim(1, "a").claim(2, "b"),
        lambda: Story(concurrency=1).put(0, "a", "b").claim(1, "a").settle(2).claim(2, "b"),
    ),
    Pair(
        "one lease too many at once",
        Check.CONCURRENCY,
        lambda: Story(concurrency=2).put(0, "a", "b", "c").claim(1, "a").claim(1, "b").claim(1, "c"),
        lambda: Story(concurrency=3).put(0, "a", "b", "c").claim(1, "a").claim(1, "b").claim(1, "c"),
    ),
    Pair(
        "a slot that is used again before its lease was taken back",
        Check.CONCURRENCY,
        lambda: Story(concurrency=1).put(0, "a", "b").claim(1, "a").claim(32, "b").expire(32),
        lambda: Story(concurrency=1).put(0, "a", "b").claim(1, "a").expire(32).claim(32, "a", 2),
    ),
    Pair(
        "more starts than the rate",
        Check.RATE,
        lambda: Story(rate_limit=1.0, rate_burst=1).put(0, "a", "b").claim(1, "a").claim(1.5, "b"),
        lambda: Story(rate_limit=1.0, rate_burst=1).put(0, "a", "b").claim(1, "a").claim(2, "b"),
    ),
    Pair(
        "more starts at once than the burst",
        Check.RATE,
        lambda: Story(rate_limit=1.0, rate_burst=2).put(0, "a", "b", "c").claim(1, "a").claim(1, "b").claim(1, "c"),
        lambda: Story(rate_limit=1.0, rate_burst=3).put(0, "a", "b", "c").claim(1, "a").claim(1, "b").claim(1, "c"),
    ),
    Pair(
        "more tasks than the queue holds",
        Check.SIZE,
        lambda: Story(max_size=1).put(0, "a", "b"),
        lambda: Story(max_size=2).put(0, "a", "b"),
    ),
    Pair(
        "a task let in while a delayed one fills the queue",
        Check.SIZE,
        lambda: Story(max_size=1).put(0, "a", delay=9.0).put(1, "b"),
        lambda: Story(max_size=1).put(0, "a").claim(1, "a").put(1, "b"),
    ),
    Pair(
        "a task let in while released ones fill the queue",
        Check.SIZE,
        lambda: Story(max_size=1).put(0, "a").claim(1, "a").release(2).put(3, "b"),
        lambda: Story(max_size=1).put(0, "a").claim(1, "a").put(2, "b").release(3),  # what comes back is never refused
    ),
    Pair(
        "a task that starts while the queue is paused",
        Check.PAUSED,
        lambda: Story().put(0, "a").journal(1, ("paused", "")).claim(2, "a"),
        lambda: Story().put(0, "a").journal(1, ("paused", "")).journal(2, ("resumed", "")).claim(2, "a"),
    ),
    Pair(
        "an urgent task that waits behind a delayed one that is not due",
        Check.EARLY,
        lambda: Story().submit(SubmittedTask("a", 0, delay=9.0)).journal(0, ("enqueued", "a")).journal(1, ("due", "a")),
        lambda: Story().put(0, "a", priority=0, delay=9.0).put(0, "b").claim(1, "b"),
    ),
)
