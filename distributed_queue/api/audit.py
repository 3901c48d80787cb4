"""Who changed what: one line for each request that may change something, from the logger ``distributed_queue.audit``.

The line has fields as ``name=value``; the record has them as its attribute ``audit``, which logs in JSON show as an
object. Endpoints add what only they know. Neither payloads nor keys are among it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distributed_queue.api.auth.guard import CALLER, Caller
from distributed_queue.api.problems import REQUEST_ID

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Scope

    from distributed_queue.api.auth.access import Permit

logger = logging.getLogger("distributed_queue.audit")

MAX_IDS = 20
"""Most ids that a line names; ``count`` tells how many there are."""

_NOTES = "distributedq.audit"
_PLAIN = re.compile(r"[A-Za-z0-9._:@/{},*-]+")
_MAX_LENGTH = 200
_REFUSED = frozenset({401, 403, 429})
_FIRST_ERROR = 400


def note(request: Request, **facts: Any) -> None:
    """Add facts to the line about a request."""
    if logger.isEnabledFor(logging.INFO):
        request.scope.setdefault(_NOTES, {}).update(facts)


def naming(task_ids: Sequence[str] | None) -> dict[str, Any]:
    """The facts that name tasks: the first few, and how many; that it is all of them, for None."""
    return {"task_ids": "all"} if task_ids is None else {"task_ids": list(task_ids[:MAX_IDS]), "count": len(task_ids)}


def write(scope: Scope, permit: Permit | None, status: int) -> None:
    """Write the line about a request that was answered with ``status``, or not at all (0)."""
    caller: Caller | None = scope.get(CALLER)
    if caller is None or permit is None or not logger.isEnabledFor(logging.INFO):
        return
    facts = {
        "actor": caller.name,
        "key_id": caller.key_id,
        "roles": [str(role) for role in caller.roles],
        "client": (scope.get("client") or ("",))[0],
        "method": scope["method"],
        "route": permit.template,
        "outcome": _outcome(status),
        "status": status,
        "request_id": scope[REQUEST_ID],
        **{name: value[:_MAX_LENGTH] for name, value in permit.parameters.items()},
        **scope.get(_NOTES, {}),
    }
    line = " ".join(f"{name}={_shown(value)}" for name, value in facts.items() if value not in (None, "", []))
    logger.info("%s", line, extra={"audit": facts})


def _outcome(status: int) -> str:
    if status in _REFUSED:
        return "refused"
    return "unknown" if status == 0 else "done" if status < _FIRST_ERROR else "failed"


def _shown(value: Any) -> str:
    """A value as it can stand in a line, whatever is in it."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
