"""How times are written for others to read."""

from __future__ import annotations

from datetime import datetime, timezone

MAX_EPOCH_SECONDS = 253_402_300_800.0
"""The end of the year 9999."""


def iso(seconds: float) -> str:
    """A time as RFC 3339 with milliseconds, in UTC."""
    # The last second of the year 9999 is as far as the format goes, and nothing was before the epoch.
    moment = datetime.fromtimestamp(max(0.0, min(seconds, MAX_EPOCH_SECONDS - 1)), timezone.utc)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
