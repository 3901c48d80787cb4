"""A task as text that submits it again: for curl, for Python and for the command line."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from distributed_queue.core.payload import payload_type
from distributed_queue.core.task import DEFAULT_MAX_RETRIES, DEFAULT_PRIORITY

if TYPE_CHECKING:
    from distributed_queue.core.task import Task


def as_curl(task: Task, base: str, *, key: bool) -> str:
    """A request of the REST API."""
    header = ' -H "X-API-Key: $API_KEY"' if key else ""
    body = _json(_fields(task))
    return f"curl {shlex.quote(base + '/api/v1/tasks')}{header} -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)}"  # noqa: E501 - one command


def as_python(task: Task) -> str:
    """A call of the library."""
    options = "".join(f", {name}={value!r}" for name, value in _options(task).items())
    return f"queue.put(Task({task.priority}, {task.payload!r}{options}))"


def as_command(task: Task) -> str:
    """A call of the program."""
    payload = task.payload
    if not isinstance(payload, dict) or payload_type(payload) != payload.get("type"):
        # The command needs a type; a file of tasks does not.
        return f"echo {shlex.quote(_json(_fields(task)))} | dq submit --file -"
    others = {name: value for name, value in payload.items() if name != "type"}
    words = ["dq", "submit", payload["type"]]
    if others.keys() == {"data"}:
        words += ["--data", _json(others["data"])]
    elif others:
        words += ["--payload", _json(others)]
    words += ["--priority", str(task.priority)]
    for name, value in _options(task).items():
        words += [f"--{name.replace('_', '-')}", f"{value:g}s" if name == "timeout" else str(value)]
    return shlex.join(words)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fields(task: Task) -> dict[str, Any]:
    fields: dict[str, Any] = {"payload": task.payload}
    if task.priority != DEFAULT_PRIORITY:
        fields["priority"] = task.priority
    return fields | _options(task)


def _options(task: Task) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if task.queue != "default":
        options["queue"] = task.queue
    if task.max_retries != DEFAULT_MAX_RETRIES:
        options["max_retries"] = task.max_retries
    if task.timeout is not None:
        options["timeout"] = task.timeout
    return options
