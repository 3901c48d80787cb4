"""Metrics, for Prometheus and as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import PlainTextResponse, Response

from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.services import Provided, json_response

router = APIRouter(tags=["metrics"])


@router.get("/metrics", include_in_schema=False)
@router.get(
    f"{PREFIX}/metrics",
    response_class=PlainTextResponse,
    operation_id="get_metrics",
    responses={
        200: {
            "description": "In the text format of Prometheus, or as OpenMetrics where that is asked for.",
            "content": {
                "text/plain": {"example": 'distributedq_tasks_enqueued_total{queue="default",task="simple"} 120.0\n'}
            },
        },
        **problems(),
    },
)
async def get_metrics(request: Request, services: Provided) -> Response:
    """Metrics for Prometheus. Tasks are counted by the storage, so every server shows the same figures.

    While the storage cannot be reached, `distributedq_storage_up` is 0 and what only it knows is left out.
    """
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(await services.queue.run(encode, services.registry), media_type=media_type)


@router.get(
    f"{PREFIX}/metrics/json",
    response_model=dict[str, Any],
    operation_id="get_metrics_json",
    responses={
        200: {
            "content": {
                "application/json": {
                    "example": {"window_seconds": 60.0, "storage": {"up": True, "backend": "sqlite"}, "queues": {}}
                }
            }
        },
        **problems(),
    },
)
async def get_metrics_json(services: Provided) -> Response:
    """The same as JSON: totals, and rates and latency percentiles over about the last minute (`window_seconds`).

    Percentiles are estimates from histogram buckets. Rates are null until there is something to compare with.
    """
    return json_response(await services.queue.run(services.summary.document))
