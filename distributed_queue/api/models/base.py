"""What all models share."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.times import MAX_EPOCH_SECONDS

EXAMPLE_ID = "0192f0c1-7a7e-7cc3-98c4-dc0c0c07398f"
EXAMPLE_TIME = "2026-08-01T12:00:00.000Z"
EXAMPLE_COUNTS = {str(state): 0 for state in TaskStatus} | {"pending": 3, "completed": 120}


def to_epoch(moment: float | datetime) -> float:
    """Seconds since the epoch. A time without an offset is UTC; one before the epoch is over like the epoch itself."""
    if isinstance(moment, datetime):
        moment = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment
        return min(max(0.0, moment.timestamp()), MAX_EPOCH_SECONDS)
    return moment


def to_whole(number: Any) -> Any:
    """1.0 as 1: JSON has one kind of numbers, and many programs write whole ones with a point."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def example(value: dict[str, Any]) -> dict[str, Any]:
    """The schema's example."""
    return {"examples": [value]}


Whole = Annotated[int, BeforeValidator(to_whole)]
WholeOrNone = Annotated[int | None, BeforeValidator(to_whole)]
Moment = Annotated[
    Annotated[float, Field(ge=0, le=MAX_EPOCH_SECONDS)] | datetime,
    AfterValidator(to_epoch),
]
QueueNameText = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
TaskIdText = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,200}$")]


class In(BaseModel):
    """What comes in: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Out(BaseModel):
    """What goes out."""

    model_config = ConfigDict(extra="forbid")
