"""Queues and statistics."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from distributed_queue.api.models.base import EXAMPLE_COUNTS, In, Out, Whole, WholeOrNone, example
from distributed_queue.core.records import MAX_COUNT, MIN_RATE

_QUEUE_EXAMPLE = {
    "name": "default",
    "size": 3,
    "paused": False,
    "oldest_ready_age_seconds": 0.25,
    "counts": EXAMPLE_COUNTS,
    "settings": {
        "max_size": None,
        "rate_limit": None,
        "rate_burst": None,
        "concurrency": None,
        "max_crashes": 3,
        "retention_seconds": 3600.0,
        "retention_count": 100_000,
        "journal": True,
        "journal_max_bytes": 64 << 20,
        "journal_max_age": 604_800.0,
    },
}


class ClearedOut(Out):
    """How many tasks were forgotten."""

    model_config = ConfigDict(json_schema_extra=example({"cleared": 42}))

    cleared: int


class ScalerOut(Out):
    """How much work there is for workers; every number is there, also when it is 0."""

    model_config = ConfigDict(
        json_schema_extra=example({"tasks": 12, "ready": 8, "running": 4, "oldest_ready_age_seconds": 0.25})
    )

    tasks: int = Field(description="Ready and running.")
    ready: int
    running: int
    oldest_ready_age_seconds: float


class QueueFiguresOut(Out):
    """One queue within the statistics."""

    size: int
    paused: bool
    max_size: int | None
    rate_limit: float | None
    concurrency: int | None
    oldest_ready_age: float | None = Field(description="For how many seconds the longest has been ready; see metrics.")
    counts: dict[str, int]


class StatsOut(Out):
    """All queues together, and each."""

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "queue_size": 3,
                "dead_letter_count": 0,
                "max_size": 1000,
                "rate_limit": 100.0,
                "workers": 1,
                "counts": EXAMPLE_COUNTS,
                "queues": {
                    "default": {
                        "size": 3,
                        "paused": False,
                        "max_size": 1000,
                        "rate_limit": 100.0,
                        "concurrency": None,
                        "oldest_ready_age": 0.25,
                        "counts": EXAMPLE_COUNTS,
                    }
                },
            }
        )
    )

    queue_size: int = Field(description="Tasks that have still to run: pending, scheduled, retrying and blocked.")
    dead_letter_count: int
    max_size: int | None = Field(description="Of the queue `default`; null is no limit.")
    rate_limit: float | None = Field(description="Of the queue `default`, tasks started per second; null is no limit.")
    workers: int = Field(description="Live workers of all processes.")
    counts: dict[str, int] = Field(description="Tasks by state.")
    queues: dict[str, QueueFiguresOut]


class SettingsOut(Out):
    """A queue's settings; null means no limit."""

    max_size: int | None
    rate_limit: float | None
    rate_burst: int | None
    concurrency: int | None
    max_crashes: int
    retention_seconds: float
    retention_count: int
    journal: bool
    journal_max_bytes: int
    journal_max_age: float


class SettingsIn(In):
    """Settings to change; what is not named stays. null takes a limit away."""

    model_config = ConfigDict(json_schema_extra=example({"max_size": 10_000, "rate_limit": None}))

    max_size: WholeOrNone = Field(None, ge=0, le=MAX_COUNT, description="Tasks that may wait.")
    rate_limit: float | None = Field(None, ge=MIN_RATE, le=1e6, description="Tasks started per second.")
    rate_burst: WholeOrNone = Field(
        None, ge=1, le=10_000_000, description="Tasks that may start at once after a pause."
    )
    concurrency: WholeOrNone = Field(
        None, ge=0, le=MAX_COUNT, description="Tasks that may run at the same time, over all workers."
    )
    max_crashes: Whole = Field(
        3, ge=1, le=MAX_COUNT, description="Vanished workers after which a task is a dead letter."
    )
    retention_seconds: float = Field(3600.0, ge=0, le=1e9, description="How long finished tasks stay.")
    retention_count: Whole = Field(100_000, ge=0, le=MAX_COUNT, description="How many of them stay at most.")
    journal: bool = Field(True, description="Whether changes are written down, for event streams and waiting clients.")
    journal_max_bytes: Whole = Field(64 << 20, ge=1, le=MAX_COUNT, description="About how much of the journal is kept.")
    journal_max_age: float = Field(604_800.0, ge=1, le=1e9, description="Seconds for which it is kept.")


class QueueOut(Out):
    """A queue as it is now."""

    model_config = ConfigDict(json_schema_extra=example(_QUEUE_EXAMPLE))

    name: str
    size: int = Field(description="Tasks that have still to run.")
    paused: bool
    oldest_ready_age_seconds: float | None
    counts: dict[str, int]
    settings: SettingsOut


class QueuesOut(Out):
    """All queues, by name."""

    model_config = ConfigDict(json_schema_extra=example({"items": [_QUEUE_EXAMPLE]}))

    items: list[QueueOut]
