"""The page of metrics, from what the collectors give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.observability.deliveries import DeliveryTimes
from distributed_queue.observability.metrics import (
    DeliveryCollector,
    OperationCollector,
    QueueCollector,
    RequestCollector,
)
from distributed_queue.observability.programs import ProgramCollector
from distributed_queue.observability.requests import RequestTimes

if TYPE_CHECKING:
    from prometheus_client import Metric

INTRODUCTION = """# Metrics

`GET /api/v1/metrics` has these, in the format of Prometheus, and those of the process (`process_…`). What tasks went
through is counted by the storage, inside the steps that it counts: the figures hold for all processes together, and
every server shows the same. So scrape *one* server of a storage, or take `max`, not `sum`, over several. Only requests,
webhooks, and the calls of the storage, are counted per server. Those of webhooks (`…_webhook_…`) are there where
`DQ_WEBHOOKS_FILE` is set.

`GET /api/v1/metrics/json` has the same as JSON, with rates and percentiles over the last minute.

{server}

## Workers

`dq worker --metrics-port N` shows what one program of workers tells of itself, for all of its processes together where
there are several: these, and, on Linux, `process_…` of each worker. With `--processes`,
calls of the storage are left out: each process has its own.

{workers}
"""

HEAD = """| metric | type | labels | |
|---|---|---|---|"""


def page() -> str:
    """The page as Markdown."""
    with HybridQueue.from_url("memory://") as queue:
        operations = list(OperationCollector(queue).collect())
        server = [
            *QueueCollector(queue).collect(),
            *operations,
            *RequestCollector(RequestTimes()).collect(),
            *DeliveryCollector(DeliveryTimes(list)).collect(),
        ]
        workers = [*ProgramCollector(queue, _Nobody()).collect(), *operations]
    return INTRODUCTION.format(server=_table(server), workers=_table(workers)).rstrip()


def _table(families: list[Metric]) -> str:
    rows = []
    for family in sorted(families, key=lambda each: each.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in getattr(family, "_labelnames", ()))
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join([HEAD, *rows])


class _Nobody:
    """A program without processes."""

    restarts = 0

    @staticmethod
    def members() -> dict[int, str]:
        return {}
