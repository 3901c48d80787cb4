"""The one middleware: what holds for every request, whichever endpoint it is for."""

from __future__ import annotations

import asyncio
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from distributed_queue.api import audit
from distributed_queue.api import headers as answer_headers
from distributed_queue.api.admission import Admission, Passage, is_counted, is_waiting
from distributed_queue.api.auth.access import STREAMING, Access, Permit, path_of
from distributed_queue.api.auth.guard import CALLER, READING_METHODS, Asked, Caller, Guard
from distributed_queue.api.auth.roles import ACCESS, Role
from distributed_queue.api.limits import ENVELOPE_BYTES, announced_too_large, counted, drain
from distributed_queue.api.options import PREFIX, ApiOptions
from distributed_queue.api.problems import (
    PROBLEM_CODE,
    PROBLEMS,
    REQUEST_ID,
    STORAGE_RETRY_SECONDS,
    ApiProblem,
    retry_after,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from distributed_queue.observability.requests import RequestTimes

logger = logging.getLogger(__name__)

BATCH_PATH = f"{PREFIX}/tasks/batch"
_SUBMITTING = frozenset({f"{PREFIX}/tasks", BATCH_PATH})

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NO_ROUTE = "other"
_SHED = tuple(
    code
    for code, kind in PROBLEMS.items()
    if kind.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE} and code != "not-ready"
)
"""Problems by which work is refused for now. Not that of the probe: it asks for no work."""


class Edge:
    """Gives the request an id, refuses what must not go on, completes the answer's headers, and takes the time.

    A plain ASGI application, since wrappers that make a request object each cost more than the whole of this.
    """

    def __init__(
        self,
        app: ASGIApp,
        options: ApiOptions,
        guard: Guard,
        requests: RequestTimes,
        direct: Mapping[tuple[str, str], ASGIApp],
    ) -> None:
        self._app = app
        self._direct = direct
        """Applications for the busiest endpoints, by method and path."""
        self._guard = guard
        self._access = Access({**ACCESS, **options.access})
        self._limit_bytes = options.max_body_bytes + ENVELOPE_BYTES
        self._batch_limit_bytes = options.max_batch_bytes
        self._requests = requests
        requests.shed.update(dict.fromkeys(_SHED, 0))
        self._admission = Admission(options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of any kind."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        method = scope["method"]
        scope[REQUEST_ID] = identifier = answer_headers.request_id(dict(scope["headers"]))
        permit = self._access.find(method, path_of(scope))
        passage = Passage(
            self._admission,
            timed=method in READING_METHODS or path_of(scope) in _SUBMITTING,
            waits=is_waiting(path_of(scope), scope["query_string"]),
        )
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                passage.answered()
                self._requests.streams += _is_stream(scope, status)
                if status == HTTPStatus.TOO_MANY_REQUESTS:
                    await self._admission.pace_refusal()
                message["headers"] = answer_headers.complete(message["headers"], identifier)
            await send(message)

        try:
            await self._handle(scope, receive, answer, permit, passage)
        except ClientDisconnect:
            logger.debug("request %s: the client went away", identifier)
        except Exception:
            logger.exception("request %s %s failed", identifier, scope["path"])
            if status:
                raise
            problem = ApiProblem("internal-error", PROBLEMS["internal-error"].detail or "")
            await problem.response(identifier)(scope, receive, answer)
        finally:
            passage.end()
            self._requests.streams -= _is_stream(scope, status)
        if method not in READING_METHODS:
            audit.write(scope, permit, status)
        self._count(scope, permit, status, time.perf_counter() - started)

    def _count(self, scope: Scope, permit: Permit | None, status: int, seconds: float) -> None:
        """For the metrics; how long a stream lasted tells nothing."""
        reason = scope.get(PROBLEM_CODE)
        if reason in _SHED:
            self._requests.shed[reason] += 1
        if not scope["path"].endswith(STREAMING):
            method = scope["method"]
            label = method if method in _METHODS else _NO_ROUTE
            template = permit.template if permit is not None else _NO_ROUTE
            self._requests.observe(label, template, status, seconds)

    async def _handle(
        self, scope: Scope, receive: Receive, answer: Send, permit: Permit | None, passage: Passage
    ) -> None:
        """Refuse the request, or let it be answered in time."""
        refusal = self._refuse(scope, dict(scope["headers"]), permit)
        if refusal is not None:
            await drain(receive)
            await refusal.response(scope[REQUEST_ID])(scope, receive, answer)
            return
        try:
            await self._pass_on(scope, receive, answer, passage)
        except ApiProblem as problem:
            await problem.response(scope[REQUEST_ID])(scope, receive, answer)
        except asyncio.CancelledError:
            if not passage.overdue:
                raise
            await _tell_overdue(scope, receive, answer)

    async def _pass_on(self, scope: Scope, receive: Receive, answer: Send, passage: Passage) -> None:
        method = scope["method"]
        if method not in READING_METHODS:
            app = self._direct.get((method, scope["path"]), self._app)
            await app(scope, passage.receiving(counted(receive, self._limit(scope))), answer)
            return
        if is_counted(scope["path"]):
            passage.begin()
        if method == "HEAD":
            # Endpoints know GET only. The server, which has the scope as it came, leaves the body out.
            await self._app({**scope, "method": "GET"}, receive, answer)
        else:
            await self._app(scope, receive, answer)

    def _refuse(self, scope: Scope, given: dict[bytes, bytes], permit: Permit | None) -> ApiProblem | None:
        """The problem with a request that must not go on."""
        method = scope["method"]
        if b"transfer-encoding" in given and b"content-length" in given:
            # Two lengths, of which a proxy may have gone by the other: what follows may be someone else's request.
            return ApiProblem("bad-request", "A request has one length.", headers={"Connection": "close"})
        client = scope.get("client") or ("", 0)
        asked = Asked(method, Role.READ if permit is None else permit.role, given, client[0])
        caller = self._guard.identify(asked)
        if not isinstance(caller, Caller):
            return caller
        scope[CALLER] = caller
        problem = self._guard.forbid(caller, asked)
        if problem is not None:
            return problem
        if permit is None:
            return self._nowhere(scope)
        return None if method in READING_METHODS else announced_too_large(given, self._limit(scope))

    def _nowhere(self, scope: Scope) -> ApiProblem:
        """What is told of an address, or a method, that the table of roles does not have."""
        methods = self._access.methods(path_of(scope))
        if not methods:
            return ApiProblem("not-found", "There is nothing at this address. /docs lists what there is.")
        detail = f"{scope['method']} is not what this address takes; see the header Allow."
        return ApiProblem("method-not-allowed", detail, headers={"Allow": ", ".join(methods)})

    def _limit(self, scope: Scope) -> int:
        return self._batch_limit_bytes if scope["path"] == BATCH_PATH else self._limit_bytes


def _is_stream(scope: Scope, status: int) -> bool:
    return status == HTTPStatus.OK and scope["path"].endswith(STREAMING)


async def _tell_overdue(scope: Scope, receive: Receive, answer: Send) -> None:
    """Answer a request that was cancelled because it took too long."""
    uncancel = getattr(asyncio.current_task(), "uncancel", None)  # from Python 3.11 on
    if uncancel is not None:
        uncancel()
    logger.warning("request %s %s: the storage did not answer in time", scope[REQUEST_ID], scope["path"])
    problem = ApiProblem(
        "storage-unavailable", PROBLEMS["storage-unavailable"].detail or "", **retry_after(STORAGE_RETRY_SECONDS)
    )
    await problem.response(scope[REQUEST_ID])(scope, receive, answer)
