"""The OpenAPI document: what FastAPI makes of the routes, and what holds for all of them."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from distributed_queue.api.auth.guard import HEADER, READING_METHODS
from distributed_queue.api.auth.roles import ACCESS, Role
from distributed_queue.api.models.base import In, Out
from distributed_queue.api.problems import MEDIA_TYPE, PROBLEMS, TYPE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": HEADER},
    "Bearer": {"type": "http", "scheme": "bearer"},
}
_EVERYWHERE = ("invalid-request", "internal-error", "storage-unavailable")
_GUARDED = ("unauthorized", "forbidden", "too-many-failures")
_WRITING = ("cross-site", "storage-full")
_TAKING = ("payload-too-large", "unsupported-media-type")
_REFERENCE = {"$ref": "#/components/schemas/Problem"}

_PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "An error, as of RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "`urn:distributedq:problem:` and the code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "Names the request, as the header `X-Request-ID` does."},
        "code": {"type": "string", "enum": sorted(PROBLEMS), "description": "Stable; what programs should look at."},
        "errors": {
            "type": "array",
            "description": "What is wrong, each with its place.",
            "items": {
                "type": "object",
                "required": ["detail", "code"],
                "properties": {
                    "pointer": {"type": "string", "description": "A JSON pointer into the body."},
                    "parameter": {"type": "string"},
                    "header": {"type": "string"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
        "retry_after_seconds": {"type": "number"},
        "queue": {"type": "string"},
        "depth": {"type": "integer"},
        "limit": {"type": "integer"},
        "task_id": {"type": "string"},
        "task_status": {"type": "string"},
    },
    "additionalProperties": True,
}

_TAGS = [
    {"name": "tasks", "description": "Submit tasks and see what becomes of them."},
    {"name": "dead letters", "description": "Tasks that failed for good."},
    {"name": "queues", "description": "Named streams of tasks with limits of their own."},
    {"name": "workers", "description": "Who runs the tasks, in this server and elsewhere."},
    {"name": "webhooks", "description": "Other systems that are told of what happens."},
    {"name": "events", "description": "What happens, as it happens."},
    {"name": "metrics", "description": "Figures for monitoring."},
    {"name": "health", "description": "For probes."},
]


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that can answer with these problems, beside those that all of its kind can."""
    described: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, *_EVERYWHERE):
        kind = PROBLEMS[code]
        response = described.setdefault(
            kind.status,
            {"description": kind.title, "content": {MEDIA_TYPE: {"schema": _REFERENCE, "examples": {}}}},
        )
        response["content"][MEDIA_TYPE]["examples"][code] = {"value": _example(code)}
    return described


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=_TAGS,
            license_info={"name": "MIT", "identifier": "MIT"},
        )
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
        _restore_examples(components["schemas"])
        components["securitySchemes"] = _SCHEMES
        reads_need_key = app.state.services.options.require_key_for_reads
        for method, path, operation in _operations(schema):
            role = ACCESS.get((method.upper(), path))
            if role is not None and (role is not Role.READ or reads_need_key):
                _secure(operation, role, writes=method.upper() not in READING_METHODS)
            _show_examples(operation, components["schemas"])
            operation["responses"] = dict(sorted(operation["responses"].items()))
        app.openapi_schema = schema
    return app.openapi_schema


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _secure(operation: dict[str, Any], role: Role, *, writes: bool) -> None:
    """Say that an operation needs a key, and what is answered otherwise."""
    operation["security"] = [{name: []} for name in _SCHEMES]
    operation["x-required-role"] = role.value
    further = problems(*_GUARDED, *(_WRITING if writes else ()), *(_TAKING if "requestBody" in operation else ()))
    for status, response in further.items():
        there = operation["responses"].setdefault(str(status), response)
        for media, content in response["content"].items():
            there["content"][media]["examples"] |= content["examples"]


def _restore_examples(schemas: dict[str, Any]) -> None:
    """Put the models' examples back as they are: FastAPI leaves out what is null in them."""
    models: list[type[In | Out]] = [In, Out]
    for model in models:
        models += model.__subclasses__()
        extra = model.model_config.get("json_schema_extra")
        if model.__name__ in schemas and isinstance(extra, dict):
            schemas[model.__name__].update(extra)


def _show_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give bodies the examples of their models."""
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for body in bodies:
        for media in body.get("content", {}).values():
            examples = _examples(media.get("schema", {}), schemas)
            if examples and not media.keys() & {"example", "examples"}:
                media["example"] = examples[0]


def _examples(schema: dict[str, Any], schemas: dict[str, Any]) -> list[Any]:
    for choice in (schema, *schema.get("anyOf", ())):
        name = choice.get("$ref", "").rpartition("/")[2]
        if name:
            found: list[Any] = schemas.get(name, {}).get("examples", [])
            return found
    return []


def _example(code: str) -> dict[str, Any]:
    kind = PROBLEMS[code]
    return {
        "type": TYPE_PREFIX + code,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail or f"What is wrong, in words ({http.HTTPStatus(kind.status).phrase}).",
        "instance": "/requests/0192f0c1-7a7e-7cc3-98c4-dc0c0c07398f",
        "code": code,
    }
