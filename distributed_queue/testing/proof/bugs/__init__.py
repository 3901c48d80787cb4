"""Seeded bugs: switches that each break one rule of the memory engine, of a worker or of a client, for tests only.

A green run means something only if the same run turns red when a rule is broken. Each bug is a patch that lasts as long
as its context manager; ``BUGS`` has them all, with the checks of which at least one has to notice.
"""

from distributed_queue.testing.proof.bugs import claiming, control, enqueueing, leases, outside, settling
from distributed_queue.testing.proof.bugs.planting import Bug

BUGS: tuple[Bug, ...] = (
    *enqueueing.BUGS,
    *claiming.BUGS,
    *leases.BUGS,
    *settling.BUGS,
    *control.BUGS,
    *outside.CLIENT,
    *outside.WORKER,
)
"""All of them."""

__all__ = ["BUGS", "Bug"]
