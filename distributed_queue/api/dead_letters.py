"""Dead letters: tasks that failed for good."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from distributed_queue.api.audit import naming, note
from distributed_queue.api.models.base import TaskIdText
from distributed_queue.api.models.tasks import DeletedOut, PageOut, RequeuedOut, RequeueIn, SelectionIn
from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.problems import ApiProblem
from distributed_queue.api.routes import JsonRoute
from distributed_queue.api.services import Provided, json_response
from distributed_queue.api.tasks import Cursor, Limit, QueueFilter, listing

_MAX_QUERY_IDS = 100
"""Ids of the longest kind, percent-encoded, that an address has room for."""

router = APIRouter(prefix=PREFIX, tags=["dead letters"], route_class=JsonRoute)


@router.get(
    "/dead-letters", response_model=PageOut, operation_id="list_dead_letters", responses=problems("invalid-cursor")
)
async def list_dead_letters(
    request: Request, services: Provided, queue: QueueFilter = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """List dead letters, those that died last first within each queue."""
    return listing(request, await services.queue.get_dead_letters(limit, cursor, queue))


@router.post(
    "/dead-letters/requeue",
    response_model=RequeuedOut,
    operation_id="requeue_dead_letters",
    responses=problems(),
)
async def requeue_dead_letters(request: Request, services: Provided, body: RequeueIn) -> Response:
    """Make dead letters ready again, their failures forgotten. Ids that are not dead letters are passed over."""
    note(request, queue=body.queue, rate=body.rate, **naming(body.ids))
    return json_response({"requeued": await services.queue.requeue_dead(body.ids, body.queue, body.rate)})


@router.delete(
    "/dead-letters",
    response_model=DeletedOut,
    operation_id="delete_dead_letters",
    responses=problems(),
)
async def delete_dead_letters(
    request: Request,
    services: Provided,
    body: Annotated[SelectionIn | None, Body(description="Which ones; or name them in the query.")] = None,
    ids: Annotated[
        list[TaskIdText] | None, Query(alias="id", max_length=_MAX_QUERY_IDS, description="An id; may be repeated.")
    ] = None,
    all: Annotated[bool, Query(description="All of them.")] = False,  # noqa: A002 - the word of the body
    queue: QueueFilter = None,
) -> Response:
    """Delete dead letters for good. Ids that are not dead letters are passed over."""
    if body is not None and (ids or all or queue):
        raise ApiProblem("invalid-request", "Choose the dead letters in the body or in the query, not in both.")
    chosen = body or _from_query(ids, all, queue)
    note(request, queue=chosen.queue, **naming(chosen.ids))
    return json_response({"deleted": await services.queue.delete_dead(chosen.ids, chosen.queue)})


def _from_query(ids: list[str] | None, everything: bool, queue: str | None) -> SelectionIn:
    if bool(ids) == everything:
        raise ApiProblem("invalid-request", "Say which dead letters: ?id=… (may be repeated), or ?all=true.")
    values: dict[str, Any] = {"ids": ids or None, "all": everything, "queue": queue}
    return SelectionIn(**values)
