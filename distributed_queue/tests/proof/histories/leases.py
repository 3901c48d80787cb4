"""Attempts, leases, and workers that lose them."""

from __future__ import annotations

from distributed_queue.testing.proof.violations import Check
from distributed_queue.tests.proof.histories.story import Pair, Story, again, done, lost, start

PAIRS = (
    Pair(
        "an attempt that ran twice",
        Check.DUPLICATE_RUN,
        lambda: done().run("a", 1, 1.5),
        lambda: done().run("a", 1, 1.5, step="end"),
    ),
    Pair(
        "an attempt that was leased to two workers",
        Check.DUPLICATE_RUN,
        lambda: done().lease("a", 1, worker="v"),
        lambda: again().settle(34, "a", 2),
    ),
    Pair(
        "a run under an attempt that was never leased",
        Check.RUN_WITHOUT_LEASE,
        lambda: done().run("a", 7),
        done,
    ),
    Pair(
        "a lease that the journal does not know",
        Check.RUN_WITHOUT_LEASE,
        lambda: Story().put(0, "a").lease("a", 1),
        lambda: Story().put(0, "a").lease("a", 1).journal(1, ("claimed", "a", 1, "w")),
    ),
    Pair(
        "a completed task that never ran",
        Check.RUN_WITHOUT_LEASE,
        lambda: Story().put(0, "a").journal(1, ("claimed", "a", 1, "w")).journal(2, ("completed", "a", 1)),
        lambda: Story().put(0, "a").run("a", 1).journal(1, ("claimed", "a", 1, "w")).journal(2, ("completed", "a", 1)),
    ),
    Pair(
        "a task that is completed by another attempt than the one that ran",
        Check.RUN_WITHOUT_LEASE,
        lambda: lost().lease("a", 2).journal(33, ("claimed", "a", 2, "w")).settle(34, "a", 2),
        lambda: again().settle(34, "a", 2),
    ),
    Pair(
        "a handler that starts when its lease is long over",
        Check.RUN_WITHOUT_LEASE,
        lambda: Story().put(0, "a").lease("a", 1).journal(1, ("claimed", "a", 1, "w")).expire(32).run("a", 1, 60),
        lambda: Story().put(0, "a").lease("a", 1).journal(1, ("claimed", "a", 1, "w")).expire(32).run("a", 1, 33),
    ),
    Pair(
        "a handler that starts when its lease is long over, after a pause between two steps",
        Check.RUN_WITHOUT_LEASE,
        lambda: (
            Story()
            .put(0, "a")
            .lease("a", 1)
            .journal(1, ("claimed", "a", 1, "w"))
            .fault(2, 60, "w", between_steps=True)
            .expire(32)
            .run("a", 1, 60)
        ),
        lambda: (  # SIGSTOP, between the look at the lease and the handler's first line
            Story()
            .put(0, "a")
            .lease("a", 1)
            .journal(1, ("claimed", "a", 1, "w"))
            .fault(2, 60, "w")
            .expire(32)
            .run("a", 1, 60)
        ),
    ),
    Pair(
        "a handler that starts late while another worker was stopped",
        Check.RUN_WITHOUT_LEASE,
        lambda: (
            Story()
            .put(0, "a")
            .lease("a", 1)
            .journal(1, ("claimed", "a", 1, "w"))
            .fault(2, 60, "v")
            .expire(32)
            .run("a", 1, 60)
        ),
        lambda: (
            Story()
            .put(0, "a")
            .lease("a", 1)
            .journal(1, ("claimed", "a", 1, "w"))
            .fault(2, 60)
            .expire(32)
            .run("a", 1, 60)
        ),
    ),
    Pair(
        "a handler that goes on after its worker was told that the lease is lost",
        Check.RUN_WITHOUT_LEASE,
        lambda: lost().extend(33, "a", state="lost").run("a", 1, 50, step="end"),
        lambda: lost().extend(33, "a", state="lost").run("a", 1, 34, step="end"),
    ),
    Pair(
        "an attempt number that is left out",
        Check.ATTEMPTS,
        lambda: Story().put(0, "a").claim(1, "a", 2),
        lambda: Story().put(0, "a").claim(1, "a", 1),
    ),
    Pair(
        "an attempt number that is used again",
        Check.ATTEMPTS,
        lambda: lost().journal(33, ("claimed", "a", 1, "v")),
        lambda: lost().journal(33, ("claimed", "a", 2, "v")),
    ),
    Pair(
        "attempts that begin again after a requeue",
        Check.ATTEMPTS,
        lambda: start().bury(2).journal(3, ("requeued", "a", 1)).journal(4, ("claimed", "a", 1, "w")),
        lambda: start().bury(2).journal(3, ("requeued", "a", 1)).journal(4, ("claimed", "a", 2, "w")),
    ),
    Pair(
        "a claim of a task that is at work",
        Check.LEASE_OVERLAP,
        lambda: start().claim(2, "a", 2),
        lambda: start().release(2).claim(2, "a", 2),
    ),
    Pair(
        "a lease taken back before its end",
        Check.LEASE_OVERLAP,
        lambda: start().expire(20),
        lambda: start().expire(31),
    ),
    Pair(
        "a lease taken back before the end of its extension",
        Check.LEASE_OVERLAP,
        lambda: start().extend(20, "a").expire(32),
        lambda: start().extend(20, "a").expire(50),
    ),
    Pair(
        "a worker that is told that it holds a lease which was taken back",
        Check.LEASE_OVERLAP,
        lambda: lost().extend(40, "a"),
        lambda: lost().extend(40, "a", state="lost"),
    ),
    Pair(
        "a task that is buried too soon",
        Check.CRASH_LIMIT,
        lambda: start().journal(32, ("lease_expired", "a", 1), ("dead", "a", 1, "crashed")),
        lambda: start(max_crashes=1).journal(32, ("lease_expired", "a", 1), ("dead", "a", 1, "crashed")),
    ),
    Pair(
        "a task that goes on crashing",
        Check.CRASH_LIMIT,
        lambda: again(max_crashes=2).expire(64, attempt=2),
        lambda: again(max_crashes=2).journal(64, ("lease_expired", "a", 2), ("dead", "a", 2, "crashed")),
    ),
    Pair(
        "a failed task that is dead as crashed",
        Check.CRASH_LIMIT,
        lambda: start().settle(2, outcome="bury", event="dead", detail="crashed"),
        lambda: start().bury(2),
    ),
    Pair(
        "crashes that count on after a requeue",
        Check.CRASH_LIMIT,
        lambda: (
            lost(max_crashes=2)
            .journal(33, ("cancelled", "a"))
            .journal(34, ("requeued", "a", 1))
            .claim(35, "a", 2)
            .journal(66, ("lease_expired", "a", 2), ("dead", "a", 2, "crashed"))
        ),
        lambda: (
            lost(max_crashes=2)
            .journal(33, ("cancelled", "a"))
            .journal(34, ("requeued", "a", 1))
            .claim(35, "a", 2)
            .expire(66, attempt=2)
        ),
    ),
    Pair(
        "a dead worker's task that is out of reach too long",
        Check.RECOVERY,
        lambda: start().expire(40),
        lambda: start().expire(33),
    ),
    Pair(
        "a task that is out of reach too long after its last extension",
        Check.RECOVERY,
        lambda: start().extend(20, "a").expire(60),
        lambda: start().extend(20, "a").expire(51),
    ),
    Pair(
        "a task that is out of reach too long after the storage came back",
        Check.RECOVERY,
        lambda: start().fault(10, 40, "storage", "kill").expire(45),
        lambda: start().fault(10, 40, "storage", "kill").expire(41),
    ),
    Pair(
        "a task that is out of reach while another worker is stopped",
        Check.RECOVERY,
        lambda: start().lease("b", 1, worker="v").put(1, "b").fault(10, 60, "w").expire(59),
        lambda: start().fault(10, 60, "w").expire(31.5),
    ),
)
