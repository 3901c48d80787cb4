"""Names and buckets of the counters that storages keep, so that metrics are true across processes and restarts.

A counter's name is ``what|type``. Storages add to them inside the step that they count; integers only, so that sums are
exact. Histograms are one counter per bucket (not cumulative) and one for the sum in milliseconds:
``wait.3|mail``, ``wait.ms|mail``.
"""

from __future__ import annotations

from bisect import bisect_left

BUCKET_BOUNDS_MS = (
    5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
)  # fmt: skip
"""Upper bounds of the histogram buckets; one more bucket holds what is above the last."""

MAX_TYPES = 200
"""Task types counted apart per queue. Further ones count as ``OTHER_TYPE``, so that no client can grow the set."""
OTHER_TYPE = "other"

ENQUEUED = "enqueued"
DEDUPLICATED = "deduplicated"
STARTED = "started"
SUCCEEDED = "attempts.succeeded"
FAILED = "attempts.failed"
LOST = "attempts.lost"
CANCELLED = "attempts.cancelled"
"""Attempts whose handler stopped because it was asked to."""
RETRIES = "retries"
FINISHED = "finished"
"""With the final state: ``finished.completed|mail``."""
POISONED = "poisoned"
"""Tasks that became dead letters because their workers kept dying with them."""
EXTENDED = "extended"
"""Leases that were extended: ``extended|``."""
WAIT = "wait"
"""Histogram: from ready to claimed, without deliberate delay."""
DURATION = "duration"
"""Histogram: from claimed to completed or failed."""
FENCED = "fenced"
"""Settles and extends that were refused because their attempt was over: ``fenced.settle|`` and ``fenced.extend|``."""


def bucket(milliseconds: int) -> int:
    """The index of the histogram bucket for a duration."""
    return bisect_left(BUCKET_BOUNDS_MS, milliseconds)


_BUCKETS = {what: tuple(f"{what}.{index}" for index in range(len(BUCKET_BOUNDS_MS) + 1)) for what in (WAIT, DURATION)}
SUMS = {what: f"{what}.ms" for what in _BUCKETS}
"""What sums up each histogram's milliseconds."""


def bucket_of(what: str, milliseconds: int) -> str:
    """What counts a duration in the histogram ``what``."""
    return _BUCKETS[what][bucket(milliseconds)]


def name(what: str, task_type: str = "") -> str:
    """The full name of a counter."""
    return f"{what}|{task_type}"
