"""Size, rate and concurrency limits as pure rules: how many tasks may be taken, and when to ask again.

Rate limits follow the generic cell rate algorithm (GCRA; ITU-T I.371, virtual scheduling form): one number of state,
the *theoretical arrival time* (TAT). A limit of ``rate`` per second with ``burst`` lets at most
``burst + rate * t`` tasks start in any window of ``t`` seconds.
"""

from __future__ import annotations

from typing import NamedTuple

SLACK_MS = 1e-3
"""Milliseconds since the epoch are near 1.7e12, where the spacing of floats is 0.24 µs: so much a sum may be off."""


class RateDecision(NamedTuple):
    """What the rate limit allows now."""

    allowed: int
    """How many of those asked for may be taken."""
    tat_ms: float
    """The new state, once ``allowed`` are taken."""
    retry_ms: float
    """Milliseconds until at least one more may be taken; 0 if one may be taken now."""


def gcra(now_ms: float, tat_ms: float, wanted: int, rate: float, burst: int) -> RateDecision:
    """How many of ``wanted`` may start now under ``rate`` per second with ``burst`` (at least 1)."""
    interval = 1000.0 / rate
    tat = max(tat_ms, now_ms)
    room = now_ms + interval * burst - tat
    allowed = max(0, min(wanted, int((room + SLACK_MS) / interval)))
    tat += allowed * interval
    retry = tat + interval - interval * burst - now_ms
    return RateDecision(allowed, tat, retry if retry > SLACK_MS else 0.0)


def default_burst(rate: float) -> int:
    """One second's worth, and at least one task."""
    return max(1, int(rate))


def concurrency_room(leases: int, limit: int | None) -> int | None:
    """How many more leases a queue may open, or None where it has no limit."""
    return None if limit is None else max(0, limit - leases)


def overflow(depth: int, arriving: int, limit: int | None) -> bool:
    """Whether ``arriving`` more tasks would exceed the size limit of a queue that has ``depth`` waiting."""
    return limit is not None and depth + arriving > limit
