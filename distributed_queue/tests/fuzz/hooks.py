"""What schemathesis is told of this API beyond its OpenAPI document. Loaded by schemathesis, as ``api.py`` says."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import schemathesis

if TYPE_CHECKING:
    from schemathesis import Case, HookContext, Response

BEYOND_A_SCHEMA = {
    "idempotency-mismatch": "it depends on what was submitted before",
    "invalid-cursor": "only the storage knows which cursors are its own",
}
"""Problems that requests may get which fit the document, and why it cannot say so."""
UNAUTHORIZED = HTTPStatus.UNAUTHORIZED
_CHOICE = "delete_dead_letters"
"""Takes its choice in the body or in the query, and that it has to be one of both is nothing that a schema can say."""

_LISTS = ("id", "queue")
"""Parameters of the query that are lists of texts."""


@schemathesis.hook
def filter_failure(context: HookContext, failure: Any, case: Case[Any], response: Response) -> bool:
    """Whether a failed check tells of a fault: a refusal that the document cannot foresee does not."""
    kind = type(failure).__name__
    if kind == "UnsupportedMethodResponse":
        return response.status_code != UNAUTHORIZED  # Who has no key is not told which methods there are.
    if kind == "AcceptedNegativeData":
        return not _is_in_order(case, response)
    return kind != "RejectedPositiveData" or not _is_beyond_a_schema(case, response)


def _is_beyond_a_schema(case: Case[Any], response: Response) -> bool:
    """Whether a request was refused for what no schema can say."""
    try:
        problem = json.loads(response.content)
    except ValueError:
        return False
    if problem.get("code") in BEYOND_A_SCHEMA:
        return True
    if problem.get("code") == "invalid-task" and problem["errors"][0]["pointer"].endswith("/payload"):
        return True  # A payload is any JSON, but for integers beyond 64 bits and nesting without end.
    operation = case.operation.definition.raw.get("operationId")
    return operation == _CHOICE and problem.get("code") == "invalid-request" and "errors" not in problem


def _is_in_order(case: Case[Any], response: Response) -> bool:
    """Whether what looks like the acceptance of a wrong request is none."""
    # 414 is a refusal. And a number, a boolean or a text in place of a list is a list of one text in an address.
    is_list_after_all = any(isinstance((case.query or {}).get(name), str | int | float) for name in _LISTS)
    return response.status_code == HTTPStatus.REQUEST_URI_TOO_LONG or is_list_after_all
