"""Probes."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from distributed_queue.api.models.base import Out, example


class HealthOut(Out):
    """The process is alive."""

    model_config = ConfigDict(
        json_schema_extra=example({"status": "healthy", "version": "0.1.0", "uptime_seconds": 12.3})
    )

    status: Literal["healthy"]
    version: str
    uptime_seconds: float


class ReadyStorageOut(Out):
    """The storage as it answered."""

    engine: str
    version: str
    profile: Literal["none", "standard", "durable", "replicated", "unknown"] = Field(
        description="The durability profile that the storage's own settings give."
    )
    durability: str = Field(description="The profile, and what an acknowledged task survives in words.")
    latency_seconds: float


class ReadyWorkersOut(Out):
    """The workers of the server that answers."""

    total: int
    claiming: int


class ReadyOut(Out):
    """The server can do its work."""

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "status": "ready",
                "storage": {
                    "engine": "sqlite",
                    "version": "3.54.1",
                    "profile": "durable",
                    "durability": "durable: An acknowledged task survives a crash of the machine.",
                    "latency_seconds": 0.0004,
                },
                "workers": {"total": 1, "claiming": 1},
            }
        )
    )

    status: Literal["ready"]
    storage: ReadyStorageOut
    workers: ReadyWorkersOut
