"""Errors as clients see them: RFC 9457 problem documents, made from one table.

Whatever is not 2xx or 3xx is such a document. None shows a stack trace, a secret or a file path: where an error's own
message could name such a thing, the table has the words that are shown in its place, and the message is logged.
"""

from __future__ import annotations

import http
import logging
import math
from typing import Any, NamedTuple

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from distributed_queue.core.payload import MAX_DEPTH
from distributed_queue.errors import (
    DistributedQueueError,
    InvalidTask,
    NotReplicated,
    PayloadTooLarge,
    QueueFull,
    StorageUnavailable,
    TaskConflict,
    TaskNotFound,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:distributedq:problem:"
REQUEST_ID = "distributedq.request_id"
PROBLEM_CODE = "distributedq.problem"
"""Where a request's scope has the code of the problem that it was answered with."""
"""Where the ASGI scope has the request's id."""
STORAGE_RETRY_SECONDS = 5
"""When to come back after the storage could not be reached."""


class ProblemType(NamedTuple):
    """What all problems with one code have in common."""

    status: int
    title: str
    detail: str | None = None
    """Shown in place of the error's own message."""


_HIDDEN = "The server could not do this. Its log has the reason, under the request's id."

PROBLEMS: dict[str, ProblemType] = {
    # The codes of ``distributed_queue.errors``.
    "error": ProblemType(500, "Error", _HIDDEN),
    "invalid-input": ProblemType(422, "Invalid input"),
    "invalid-task": ProblemType(422, "Invalid task"),
    "payload-too-large": ProblemType(413, "Payload too large"),
    "invalid-arguments": ProblemType(422, "Invalid arguments"),
    "invalid-queue-name": ProblemType(422, "Invalid queue name"),
    "invalid-cursor": ProblemType(400, "Invalid cursor"),
    "configuration": ProblemType(422, "Invalid setting"),
    "invalid-storage-url": ProblemType(500, "Server set up wrongly", _HIDDEN),
    "missing-dependency": ProblemType(500, "Server set up wrongly", _HIDDEN),
    "queue-full": ProblemType(429, "Queue full"),
    "task-not-found": ProblemType(404, "Task not found"),
    "webhook-not-found": ProblemType(404, "Webhook not found"),
    "task-conflict": ProblemType(409, "Task conflict"),
    "task-failed": ProblemType(409, "Task failed"),
    "result-timeout": ProblemType(504, "Task not finished in time"),
    "queue-closed": ProblemType(503, "Server shutting down", "This server is shutting down. Try again."),
    "storage-error": ProblemType(500, "Storage error", _HIDDEN),
    "storage-unavailable": ProblemType(
        503,
        "Storage unavailable",
        "The storage cannot be reached now, so it is not known whether this took effect. Try again; give "
        "submissions an Idempotency-Key or a task_id, so that they count once.",
    ),
    "not-replicated": ProblemType(
        503,
        "Not replicated",
        "This was done, but not enough replicas of the storage have confirmed it. Try again; give submissions an "
        "Idempotency-Key or a task_id, so that they count once.",
    ),
    "storage-full": ProblemType(
        507, "Storage full", "The storage has no room left for a write. Nothing was changed; reading goes on."
    ),
    "storage-incompatible": ProblemType(500, "Storage incompatible", _HIDDEN),
    "storage-refused": ProblemType(500, "Storage refuses the user", _HIDDEN),
    "handler-error": ProblemType(500, "Handler error", _HIDDEN),
    "unknown-task-type": ProblemType(422, "Unknown task type"),
    "invalid-result": ProblemType(422, "Invalid result"),
    "process-died": ProblemType(500, "Handler error", _HIDDEN),
    "time-limit-exceeded": ProblemType(500, "Handler error", _HIDDEN),
    "task-cancelled": ProblemType(409, "Task cancelled"),
    "lease-lost": ProblemType(409, "Lease lost"),
    "verdict": ProblemType(500, "Handler error", _HIDDEN),
    "retry-later": ProblemType(500, "Handler error", _HIDDEN),
    "snooze": ProblemType(500, "Handler error", _HIDDEN),
    "discard": ProblemType(500, "Handler error", _HIDDEN),
    "dead-letter": ProblemType(500, "Handler error", _HIDDEN),
    # Those of the API itself.
    "bad-request": ProblemType(400, "Bad request"),
    "unauthorized": ProblemType(401, "API key needed"),
    "forbidden": ProblemType(403, "The API key may not do this"),
    "cross-site": ProblemType(403, "Request from another site"),
    "not-found": ProblemType(404, "Not found"),
    "queue-not-found": ProblemType(404, "Queue not found"),
    "worker-not-found": ProblemType(404, "Worker not found"),
    "method-not-allowed": ProblemType(405, "Method not allowed"),
    "request-timeout": ProblemType(408, "Request too slow"),
    "worker-exists": ProblemType(409, "Worker exists"),
    "no-worker-pool": ProblemType(409, "No workers here"),
    "no-webhooks": ProblemType(409, "No webhooks here"),
    "address-too-long": ProblemType(414, "Address too long"),
    "unsupported-media-type": ProblemType(415, "Unsupported media type"),
    "invalid-request": ProblemType(422, "Invalid request"),
    "forbidden-address": ProblemType(422, "Address not allowed"),
    "invalid-json": ProblemType(422, "Invalid JSON"),
    "too-many-failures": ProblemType(429, "Too many wrong API keys"),
    "idempotency-mismatch": ProblemType(422, "Idempotency key used for something else"),
    "headers-too-large": ProblemType(431, "Headers too large"),
    "internal-error": ProblemType(500, "Internal error", _HIDDEN),
    "not-ready": ProblemType(503, "Not ready"),
    "overloaded": ProblemType(503, "Too many requests under way"),
    "too-many-connections": ProblemType(503, "Too many connections"),
    "too-many-streams": ProblemType(503, "Too many event streams"),
}
"""Error code to what clients are told."""

_BY_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "payload-too-large",
    415: "unsupported-media-type",
    500: "internal-error",
}
"""Codes for what the framework itself refuses."""

_JSON_FAULTS = (
    ("recursion limit", f"it is nested deeper than {MAX_DEPTH} levels"),
    ("surrogate", "a string has a lone surrogate, which no encoding of text can carry"),
    ("hex escape", "a string has a lone surrogate, or an escape that is no character"),
    ("number out of range", "a number is out of range"),
)
"""What the parser calls some faults, and what they are."""


class ApiProblem(HTTPException):
    """A problem to answer with. ``extensions`` are further members of the document."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(PROBLEMS[code].status, detail, headers)
        self.code = code
        self.extensions = extensions

    def response(self, request_id: str) -> Response:
        """The answer."""
        return _respond(self.code, self.status_code, self.detail, request_id, self.extensions, self.headers)


def from_error(error: DistributedQueueError) -> ApiProblem:
    """The problem that an error of the library is to a client."""
    kind = PROBLEMS[error.code]
    extensions: dict[str, Any] = {}
    retry_after: float | None = None
    if isinstance(error, PayloadTooLarge):
        extensions = {"size_bytes": error.size_bytes, "limit_bytes": error.limit_bytes}
    elif isinstance(error, InvalidTask):
        extensions = {"errors": [fault(("body", *error.field.split(".")), str(error), error.code)]}
    elif isinstance(error, QueueFull):
        retry_after = error.retry_after
        extensions = {"queue": error.queue, "depth": error.depth, "limit": error.limit}
    elif isinstance(error, (TaskNotFound, TaskConflict)):
        extensions = {"task_id": error.task_id}
    elif isinstance(error, (StorageUnavailable, NotReplicated)):
        retry_after = STORAGE_RETRY_SECONDS
    return ApiProblem(error.code, kind.detail or str(error), **_with_retry(retry_after), **extensions)


def from_validation(faults: list[Any], prefix: tuple[str, ...] = ()) -> ApiProblem:
    """The problem that a request's values are, as pydantic reports them. What was sent is not repeated."""
    for each in faults:
        if each["type"] == "json_invalid":
            reason = str(each.get("ctx", {}).get("error", each["msg"]))
            shown = next((words for sign, words in _JSON_FAULTS if sign in reason), reason)
            return ApiProblem("invalid-json", f"The body is not JSON that can be used: {shown}.")
    errors = [fault((*prefix, *each["loc"]), _words(each["msg"]), each["type"]) for each in faults]
    first = errors[0]
    where = first.get("pointer") or first.get("parameter") or first.get("header")
    return ApiProblem("invalid-request", f"{where}: {first['detail']}", errors=errors)


def fault(place: tuple[str | int, ...], detail: str, code: str) -> dict[str, str]:
    """One entry of ``errors``: a JSON pointer into the body, or the name of a parameter or header."""
    kind, *path = place or ("body",)
    if kind == "body":
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
        return {"pointer": "#" + "".join(f"/{step}" for step in steps), "detail": detail, "code": code}
    name = ".".join(map(str, path))
    return {"header" if kind == "header" else "parameter": name, "detail": detail, "code": code}


def retry_after(seconds: float) -> dict[str, Any]:
    """Arguments of ``ApiProblem`` that tell when to come back."""
    return {"headers": {"Retry-After": str(max(1, math.ceil(seconds)))}, "retry_after_seconds": seconds}


async def answer_error(request: Request, error: Exception) -> Response:
    """Exception handler for the library's errors."""
    if not isinstance(error, DistributedQueueError):
        raise error
    request_id = request.scope.get(REQUEST_ID, "")
    problem = from_error(error)
    if problem.status_code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("request %s %s %s: %s", request_id, request.method, request.url.path, error)
    return problem.response(request_id)


async def answer_http(request: Request, error: Exception) -> Response:
    """Exception handler for problems, and for what the framework refuses."""
    request_id = request.scope.get(REQUEST_ID, "")
    if isinstance(error, ApiProblem):
        return error.response(request_id)
    if not isinstance(error, HTTPException):
        raise error
    code = _BY_STATUS.get(error.status_code, "bad-request")
    detail = str(error.detail)
    if error.status_code == http.HTTPStatus.NOT_FOUND:
        detail = "There is nothing at this address. /docs lists what there is."
    elif error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not what this address takes; see the header Allow."
    return _respond(code, error.status_code, detail, request_id, {}, error.headers)


async def answer_validation(request: Request, error: Exception) -> Response:
    """Exception handler for values that do not fit."""
    if not isinstance(error, (RequestValidationError, ValidationError)):
        raise error
    return from_validation(list(error.errors())).response(request.scope.get(REQUEST_ID, ""))


def _with_retry(seconds: float | None) -> dict[str, Any]:
    return {} if seconds is None else retry_after(seconds)


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")


def _respond(
    code: str,
    status: int,
    detail: str,
    request_id: str,
    extensions: dict[str, Any],
    headers: Any,
) -> Response:
    document = {
        "type": TYPE_PREFIX + code,
        "title": PROBLEMS[code].title,
        "status": status,
        "detail": detail,
        "instance": f"/requests/{request_id}",
        "code": code,
        **extensions,
    }
    return _Document(code, msgspec.json.encode(document), status, headers)


class _Document(Response):
    """The answer, which leaves the code where whoever passes it on can see it."""

    media_type = MEDIA_TYPE

    def __init__(self, code: str, content: bytes, status: int, headers: Any) -> None:
        super().__init__(content, status, headers)
        self._code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[PROBLEM_CODE] = self._code
        await super().__call__(scope, receive, send)
