"""How routes take JSON bodies: strictly, and on the busiest ones without detours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
import pydantic_core
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from distributed_queue.api.models.sent import UNFIT
from distributed_queue.api.problems import ApiProblem, answer_error, answer_http, from_validation
from distributed_queue.errors import DistributedQueueError, InvalidTask

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

_LARGE_BYTES = 64 << 10
"""Bodies above this are parsed in a thread, so that others need not wait."""


class JsonRoute(APIRoute):
    """A route that refuses bodies of other types with 415, and JSON that other parsers would read differently."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See ``APIRoute``."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            if await strict.body():
                check_media_type(strict)
            return await handle(strict)

        return handle_json


class DirectRoute(APIRoute):
    """A route whose endpoint is called with ``(request, body)`` and answers by itself.

    The body goes from bytes to the struct ``sent`` of its model in one step, or else to the model, and nothing of what
    FastAPI does between is paid for; the signature documents the route as on any other. ``Edge`` calls ``direct``,
    which saves looking for the route too.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See ``APIRoute``."""
        endpoint = self.endpoint
        model = get_type_hints(endpoint)["body"]
        parse, read = TypeAdapter(model).validator.validate_json, msgspec.json.Decoder(model.sent).decode

        def validate(body: bytes) -> Any:
            try:
                return parse(body)
            except ValidationError as error:
                raise from_validation(list(error.errors()), ("body",)) from error

        def read_or_validate(body: bytes) -> Any:
            try:
                return read(body)
            except UNFIT:
                return validate(body)

        async def handle(request: Request) -> Response:
            body = await request.body()
            check_media_type(request)
            is_large = len(body) >= _LARGE_BYTES
            sent = await asyncio.to_thread(read_or_validate, body) if is_large else read_or_validate(body)
            try:
                response: Response = await endpoint(request, sent)
            except (InvalidTask, ApiProblem) as problem:
                if problem.code == InvalidTask.code:
                    # What is nested too deeply may be no JSON at all to the model, which then has the word.
                    await asyncio.to_thread(validate, body)
                raise
            return response

        return handle

    def direct(self) -> ASGIApp:
        """The route as an application of its own."""
        handle = self.get_route_handler()

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            scope["route"] = self
            request = Request(scope, receive)
            try:
                response = await handle(request)
            except HTTPException as problem:
                response = await answer_http(request, problem)
            except DistributedQueueError as error:
                response = await answer_error(request, error)
            await response(scope, receive, send)

        return answer


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return pydantic_core.from_json(await self.body(), allow_inf_nan=False)
        except ValueError as error:
            raise from_validation([{"type": "json_invalid", "loc": (), "msg": str(error)}]) from error


def check_media_type(request: Request) -> None:
    """Raise a problem unless the body says that it is JSON.

    A body of no declared type is refused too: pages of other sites can send those without being asked.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise ApiProblem("unsupported-media-type", f"The body is encoded as {encoding!r:.50}; send it as it is.")
    given = request.headers.get("content-type", "")
    media_type = given.partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise ApiProblem(
            "unsupported-media-type", f"The body is {media_type or 'of no type'!r}; send it as application/json."
        )
