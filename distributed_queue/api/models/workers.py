"""Workers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from distributed_queue.api.models.base import EXAMPLE_ID, EXAMPLE_TIME, In, Out, QueueNameText, Whole, example

_WORKER_EXAMPLE = {
    "name": "w3",
    "id": f"w3-{EXAMPLE_ID}",
    "origin": "local",
    "state": "running",
    "paused": False,
    "max_workers": 5,
    "active_tasks": 2,
    "processed": 120,
    "failed": 1,
    "stuck": 0,
    "queues": None,
    "handlers": ["default", "math", "simple"],
    "host": "alpha",
    "pid": 4711,
    "started_at": EXAMPLE_TIME,
    "beat_age_seconds": 0.8,
    "version": "0.1.0",
    "memory_bytes": 73_400_320,
    "cpu_share": 0.12,
    "inspections": 1,
    "stacks": [
        {
            "queue": "mail",
            "task_id": EXAMPLE_ID,
            "attempt": 1,
            "seconds": 41.5,
            "limit_seconds": 60.0,
            "stuck": False,
            "frames": ["shop/mail.py:42 in send", "python3.11/ssl.py:1166 in SSLSocket.read"],
            "note": "",
        }
    ],
}


class WorkerIn(In):
    """A worker to add to this server's pool."""

    model_config = ConfigDict(json_schema_extra=example({"name": "w3", "max_workers": 5, "poll_interval": 0.1}))

    name: str = Field(pattern=r"^[A-Za-z0-9._:@-]{1,100}$")
    max_workers: Whole = Field(10, ge=1, le=10_000, description="Handlers that run at the same time.")
    poll_interval: float = Field(
        0.1, ge=0.001, le=1e6, description="Seconds before a storage that is away is asked again."
    )
    shutdown_timeout: float = Field(
        30.0, ge=0, le=1e6, description="Seconds that handlers get to finish when it stops."
    )
    queues: list[QueueNameText] | None = Field(None, min_length=1, description="In order of preference; null is all.")


class StackOut(Out):
    """Where the handler of a task was when its worker looked."""

    queue: str
    task_id: str
    attempt: int
    seconds: float = Field(description="How long it had run.")
    limit_seconds: float | None = Field(description="How long it may.")
    stuck: bool = Field(description="It was told to stop and does not; its outcome will not count.")
    frames: list[str] = Field(description="`file:line in function`, the outermost first; no values.")
    note: str = Field(description="Why there are none.")


class WorkerOut(Out):
    """A worker of this server or of another process."""

    model_config = ConfigDict(json_schema_extra=example(_WORKER_EXAMPLE))

    name: str
    id: str | None = Field(description="Unique to this start of the worker; null before the first.")
    origin: Literal["local", "remote"] = Field(description="Whether it belongs to the server that answers.")
    state: str = Field(description="`running`, `draining` or `stopped`.")
    paused: bool
    max_workers: int
    active_tasks: int
    processed: int
    failed: int
    stuck: int = Field(description="Handlers that were told to stop and do not; others have taken their places.")
    queues: list[str] | None = Field(description="null is all.")
    handlers: list[str] | None = Field(description="Task types that it knows; null where another process has it.")
    host: str | None
    pid: int | None
    started_at: datetime | None
    beat_age_seconds: float | None = Field(description="How long ago it last reported to the storage.")
    version: str | None
    memory_bytes: int | None = Field(description="What its process has in memory; null where that is not known.")
    cpu_share: float | None = Field(description="Processors that its process kept busy since the report before.")
    inspections: int | None = Field(description="How often it has looked where its handlers are.")
    stacks: list[StackOut] = Field(description="What it saw, for half a minute; empty unless it was asked.")


class WorkersOut(Out):
    """All live workers, those of this server first."""

    model_config = ConfigDict(json_schema_extra=example({"items": [_WORKER_EXAMPLE], "pool": True, "running": True}))

    items: list[WorkerOut]
    pool: bool = Field(description="Whether this server can run workers of its own.")
    running: bool = Field(description="Whether its pool is started.")


class ScaleIn(In):
    """How large a worker is to be."""

    model_config = ConfigDict(json_schema_extra=example({"max_workers": 20}))

    max_workers: Whole = Field(ge=1, le=10_000)


class SteeredOut(Out):
    """What a worker was told. Those of other processes obey with their next beat, within seconds."""

    model_config = ConfigDict(
        json_schema_extra=example({"name": "w3", "action": "pause", "origin": "local", "count": 1, "state": "running"})
    )

    name: str
    action: Literal["pause", "resume", "scale", "stop", "inspect"]
    origin: Literal["local", "remote"]
    count: int = Field(description="Workers of that name.")
    state: str | None = Field(description="The worker's state now; null for those of other processes.")


class PoolOut(Out):
    """How this server's pool is now."""

    model_config = ConfigDict(json_schema_extra=example({"running": True, "workers": 2, "told": 0}))

    running: bool
    workers: int
    told: int = Field(description="Workers of other processes that were told to stop.")
