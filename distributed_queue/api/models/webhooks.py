"""Webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from distributed_queue.api.models.base import EXAMPLE_TIME, In, Out, example
from distributed_queue.webhooks import EVENTS

_MOST_PATTERNS = 100
_Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_EXAMPLE: dict[str, Any] = {
    "id": "5nXq0LmZ2a",
    "url": "https://example.com/hooks",
    "events": ["task.dead"],
    "queues": ["mail*"],
    "types": [],
    "payload": False,
    "enabled": True,
    "disabled_at": None,
    "disabled_because": None,
    "created_at": EXAMPLE_TIME,
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 - an example


class WebhookIn(In):
    """Who is to be told of what."""

    model_config = ConfigDict(
        json_schema_extra=example(
            {"url": "https://example.com/hooks", "events": ["task.dead"], "queues": ["mail*"], "payload": False}
        )
    )

    url: str = Field(max_length=2000, description="Where messages go; it begins with `https://`.")
    events: list[_Pattern] = Field(
        [],
        max_length=_MOST_PATTERNS,
        description=f"Names, or patterns such as `task.*`; without any, how tasks end. Names: {', '.join(EVENTS)}.",
    )
    queues: list[_Pattern] = Field([], max_length=_MOST_PATTERNS, description="Names or patterns; without any, all.")
    types: list[_Pattern] = Field(
        [], max_length=_MOST_PATTERNS, description="Names or patterns of task types; without any, all."
    )
    payload: bool = Field(False, description="Whether messages have the task's payload, result and error in them.")


class WebhookOut(Out):
    """Who is told of what."""

    model_config = ConfigDict(json_schema_extra=example(_EXAMPLE))

    id: str
    url: str
    events: list[str]
    queues: list[str]
    types: list[str]
    payload: bool
    enabled: bool
    disabled_at: datetime | None
    disabled_because: str | None
    created_at: datetime


class WebhookSecretOut(WebhookOut):
    """A webhook with its new secret, which is not shown again."""

    model_config = ConfigDict(json_schema_extra=example({**_EXAMPLE, "secret": _SECRET}))

    secret: str = Field(description="What receivers check signatures with, as Standard Webhooks writes it.")


class WebhooksOut(Out):
    """All webhooks."""

    model_config = ConfigDict(json_schema_extra=example({"items": [_EXAMPLE]}))

    items: list[WebhookOut]


class RemovedOut(Out):
    """What is known no more."""

    model_config = ConfigDict(json_schema_extra=example({"removed": ["5nXq0LmZ2a"]}))

    removed: list[str]


class TrialOut(Out):
    """What came of a trial."""

    model_config = ConfigDict(json_schema_extra=example({"taken": True, "status": 204, "detail": None}))

    taken: bool = Field(description="Whether the endpoint answered with success (2xx).")
    status: int | None = Field(description="What it answered; null where it did not.")
    detail: str | None = Field(description="How its answer begins, or why there is none.")
