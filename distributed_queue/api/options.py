"""What the API can be told when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from distributed_queue.core.payload import MAX_BODY_BYTES

if TYPE_CHECKING:
    from distributed_queue.api.auth.roles import Role
    from distributed_queue.observability.deliveries import DeliveryTimes
    from distributed_queue.webhooks import Register

PREFIX = "/api/v1"
"""Where the API lives."""


@dataclass(frozen=True, kw_only=True)
class ApiOptions:
    """Limits and secrets of one API application. Durations are in seconds."""

    api_key: str | None = field(default=None, repr=False)
    """A key that may do everything. Without it and without ``keys_file`` everyone may."""
    keys_file: Path | None = None
    """The file with the scoped keys, as ``dq keys`` writes it. Changes count within a second."""
    require_key_for_reads: bool = False
    """Whether reading needs a key too. Health and documentation never do."""
    own_names_only: bool = False
    """Whether requests to another name than ``localhost`` or a plain address are refused. For a server without a key
    that only this machine reaches: else a page of another site could reach it, by letting its own name lead here."""
    max_failed_keys: int = 10
    """Wrong keys that may come from one address within a minute."""
    access: Mapping[tuple[str, str], Role | None] = field(default_factory=dict)
    """What role the routes need that you add to the application, by method and path; None lets everyone in. A route
    without one is closed."""
    max_body_bytes: int = MAX_BODY_BYTES
    """Largest task, as it is sent. Give the queue the same limit: it checks what the payload takes encoded."""
    max_batch_tasks: int = 10_000
    """Most tasks of one batch, and most ids of one request."""
    max_batch_bytes: int = 64 << 20
    """Largest batch, as it is sent."""
    max_requests: int = 2000
    """Requests that may be under way at once; further ones are refused. Event streams are limited by themselves."""
    max_waits: int = 10_000
    """Requests that may wait for a task at once (``?wait=``); they do not count as under way."""
    max_request_bytes: int = 256 << 20
    """What the bodies of all requests that are under way may take together."""
    answer_seconds: float = 10.0
    """How long a submission, or a request that reads, may take once it has arrived."""
    max_refusals_per_second: float = 100.0
    """Answers 429 that go out undelayed, on average; further ones are delayed by up to a second."""
    max_wait_seconds: float = 60.0
    """Longest ``?wait=`` for a task; proxies often end idle requests after 60 s."""
    max_page: int = 1000
    """Most tasks of one page of a listing."""
    max_streams: int = 100
    """Event streams that may be open at once."""
    max_stream_queues: int = 100
    """Queues that one event stream may follow; each takes a thread, shared by all streams."""
    ping_seconds: float = 15.0
    """How often an idle event stream says that it lives, below what proxies tolerate."""
    stall_seconds: float = 30.0
    """How long a client of an event stream may take nothing before it is dropped; it can resume."""
    ready_seconds: float = 5.0
    """How long ``/ready`` waits for the storage."""
    webhooks: Register | None = None
    """The webhooks that may be looked at and changed over REST."""
    deliveries: DeliveryTimes | None = None
    """What the metrics are to tell of the webhooks that this process sends."""
    title: str = "DistributedQ"
    home: str | None = "/docs"
    """Where ``/`` leads; None where another application is to be mounted there."""
