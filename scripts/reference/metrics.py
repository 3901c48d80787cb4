"""The page of metrics, from what the collectors give."""

from __future__ import annotations

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.observability.metrics import QueueCollector, RequestCollector
from distributed_queue.observability.requests import RequestTimes

INTRODUCTION = """# Metrics

`GET /api/v1/metrics` has these, in the format of Prometheus, and those of the process (`process_…`). What tasks went
through is counted by the storage, inside the steps that it counts: the figures hold for all processes together, and
every server shows the same. So scrape *one* server of a storage, or take `max`, not `sum`, over several. Only requests
are counted per server.

`GET /api/v1/metrics/json` has the same as JSON, with rates and percentiles over the last minute.

| metric | type | labels | |
|---|---|---|---|"""


def page() -> str:
    """The page as Markdown."""
    with HybridQueue.from_url("memory://") as queue:
        families = [*QueueCollector(queue).collect(), *RequestCollector(RequestTimes()).collect()]
    rows = []
    for family in sorted(families, key=lambda each: each.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in getattr(family, "_labelnames", ()))
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join([INTRODUCTION, *rows])
