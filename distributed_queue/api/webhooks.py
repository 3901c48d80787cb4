"""Webhooks: who is told of what happens to tasks. Kept in a file of this server, as ``dq webhooks`` does."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from distributed_queue.api.audit import note
from distributed_queue.api.documents import webhook_document
from distributed_queue.api.models.webhooks import (
    RemovedOut,
    TrialOut,
    WebhookIn,
    WebhookOut,
    WebhookSecretOut,
    WebhooksOut,
)
from distributed_queue.api.openapi import problems
from distributed_queue.api.options import PREFIX
from distributed_queue.api.problems import ApiProblem
from distributed_queue.api.routes import JsonRoute
from distributed_queue.api.services import Provided, Services, json_response
from distributed_queue.errors import ConfigurationError
from distributed_queue.webhooks import DeliveryFailed, Endpoint, Register

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
logger = logging.getLogger(__name__)

router = APIRouter(prefix=PREFIX, tags=["webhooks"], route_class=JsonRoute)

WebhookId = Annotated[str, Path(pattern=r"^[0-9A-Za-z_]{1,32}$", description="The webhook's id.")]
_LONGEST_KEEP_SECONDS = 365 * 86_400.0
_BECAUSE = "over REST"
_KNOWN = problems("webhook-not-found", "no-webhooks")


@router.get("/webhooks", response_model=WebhooksOut, operation_id="list_webhooks", responses=problems("no-webhooks"))
async def list_webhooks(services: Provided) -> Response:
    """All webhooks, without their secrets."""
    return json_response({"items": [webhook_document(each) for each in await _use(_register(services).all)]})


@router.post(
    "/webhooks",
    status_code=201,
    response_model=WebhookSecretOut,
    operation_id="create_webhook",
    responses=problems("no-webhooks", "configuration", "forbidden-address"),
)
async def create_webhook(request: Request, services: Provided, body: WebhookIn) -> Response:
    """Tell an address of events from now on. The answer has the secret that signs messages, this once.

    Addresses that only this server reaches are refused, unless its operator allows their network.
    """
    note(request, events=body.events)
    register = _register(services)
    await asyncio.to_thread(register.check, body.url, body.events)
    made = await _use(
        lambda: register.add(body.url, events=body.events, queues=body.queues, types=body.types, payload=body.payload)
    )
    note(request, webhook_id=made.id)
    return _with_secret(made, 201, {"Location": f"{PREFIX}/webhooks/{made.id}"})


@router.get("/webhooks/{webhook_id}", response_model=WebhookOut, operation_id="get_webhook", responses=_KNOWN)
async def get_webhook(services: Provided, webhook_id: WebhookId) -> Response:
    """One webhook, without its secrets."""
    return json_response(webhook_document(await _use(lambda: _register(services).find(webhook_id))))


@router.delete("/webhooks/{webhook_id}", response_model=RemovedOut, operation_id="delete_webhook", responses=_KNOWN)
async def delete_webhook(services: Provided, webhook_id: WebhookId) -> Response:
    """Forget a webhook. Deliveries that wait are cancelled when their turn comes."""
    await _use(lambda: _register(services).remove([webhook_id]))
    return json_response({"removed": [webhook_id]})


@router.post(
    "/webhooks/{webhook_id}/disable", response_model=WebhookOut, operation_id="disable_webhook", responses=_KNOWN
)
async def disable_webhook(services: Provided, webhook_id: WebhookId) -> Response:
    """Tell a webhook nothing for now. What happens meanwhile is not told later."""
    return json_response(webhook_document(await _use(lambda: _register(services).disable(webhook_id, _BECAUSE))))


@router.post(
    "/webhooks/{webhook_id}/enable", response_model=WebhookOut, operation_id="enable_webhook", responses=_KNOWN
)
async def enable_webhook(services: Provided, webhook_id: WebhookId) -> Response:
    """Tell a webhook of events again, from now on."""
    return json_response(webhook_document(await _use(lambda: _register(services).enable(webhook_id))))


@router.post(
    "/webhooks/{webhook_id}/rotate",
    response_model=WebhookSecretOut,
    operation_id="rotate_webhook",
    responses=_KNOWN,
)
async def rotate_webhook(
    request: Request,
    services: Provided,
    webhook_id: WebhookId,
    keep_seconds: Annotated[
        float,
        Query(ge=0, le=_LONGEST_KEEP_SECONDS, description="How long messages are signed with the former secrets too."),
    ] = 86_400.0,
) -> Response:
    """Give a webhook a new secret, which the answer has, this once.

    For a while, messages have the signatures of the new secret and of the former one.
    """
    note(request, keep_seconds=keep_seconds)
    return _with_secret(await _use(lambda: _register(services).rotate(webhook_id, keep_seconds)))


@router.post(
    "/webhooks/{webhook_id}/test",
    response_model=TrialOut,
    operation_id="test_webhook",
    responses=problems("webhook-not-found", "no-webhooks", "forbidden-address"),
)
async def test_webhook(services: Provided, webhook_id: WebhookId) -> Response:
    """Send a message of type `webhook.test` now, and say what the endpoint answers, or why it does not."""
    try:
        answer = await _use(lambda: _register(services).try_out(webhook_id))
    except DeliveryFailed as error:
        return json_response({"taken": False, "status": None, "detail": str(error)})
    return json_response({"taken": answer.taken, "status": answer.status, "detail": answer.text or None})


async def _use(action: Callable[[], T]) -> T:
    """Do something with the file, in a thread: others may hold it, and endpoints take their time."""
    try:
        return await asyncio.to_thread(action)
    except ConfigurationError as error:
        logger.error("the webhooks cannot be used: %s", error)  # noqa: TRY400 - it says all there is
        raise ApiProblem(
            "internal-error", "The file with the webhooks cannot be used; the server's log says why."
        ) from error


def _register(services: Services) -> Register:
    if services.options.webhooks is None:
        raise ApiProblem("no-webhooks", "This server has no file of webhooks; DQ_WEBHOOKS_FILE names one.")
    return services.options.webhooks


def _with_secret(endpoint: Endpoint, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    document: dict[str, Any] = {**webhook_document(endpoint), "secret": endpoint.secrets[0].text}
    return json_response(document, status, headers)
