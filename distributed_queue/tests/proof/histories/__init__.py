"""Hand-made histories, each with a broken promise, and beside each one that is nearly the same and in order."""

from distributed_queue.tests.proof.histories import ends, journals, leases, lines, outcomes, replies
from distributed_queue.tests.proof.histories.story import Pair

PAIRS: tuple[Pair, ...] = (
    *ends.PAIRS,
    *replies.PAIRS,
    *outcomes.PAIRS,
    *leases.PAIRS,
    *lines.PAIRS,
    *journals.PAIRS,
)

__all__ = ["PAIRS", "Pair"]
