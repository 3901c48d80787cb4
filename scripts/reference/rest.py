"""The page of the REST API, from its OpenAPI document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from distributed_queue.api import create_app
from distributed_queue.api.problems import PROBLEMS, TYPE_PREFIX
from distributed_queue.core.hybrid_queue import HybridQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """# REST API

A running server has the same as a page to click through, at `/docs`, and as an OpenAPI document, at `/openapi.json`.
[The guide](../guides/rest.md) shows how it is used from other languages.

"""


def page() -> str:
    """The page as Markdown."""
    document = openapi()
    return "\n".join(
        [INTRODUCTION.rstrip(), "", *_overview(document), *_operations(document), *_schemas(document), *_problems()]
    )


def openapi() -> dict[str, Any]:
    """The document that a server without any settings serves."""
    with HybridQueue.from_url("memory://") as queue:
        return create_app(queue).openapi()


def _each(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _overview(document: dict[str, Any]) -> Iterator[str]:
    yield "| | |\n|---|---|"
    for method, path, operation in _each(document):
        yield f"| [`{method} {path}`](#{_anchor(method, path)}) | {_gist(operation)} |"
    yield ""


def _gist(operation: dict[str, Any]) -> str:
    """The first sentence of an operation's description."""
    return _cell(operation["description"].partition("\n\n")[0]).partition(". ")[0].rstrip(".")


def _anchor(method: str, path: str) -> str:
    kept = "".join(each for each in f"{method} {path}".lower() if each.isalnum() or each in " -_")
    return kept.replace(" ", "-")


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for method, path, operation in _each(document):
        yield f"## {method} {path}\n"
        yield f"{operation['description'].replace('``', '`')}\n"
        if operation.get("security"):
            yield f"Needs a key with the role `{operation['x-required-role']}`, where the server has keys.\n"
        yield from _parameters(operation)
        yield from _body(operation)
        yield from _answers(operation)


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    if operation.get("parameters"):
        yield "| parameter | in | type | |\n|---|---|---|---|"
        for each in operation["parameters"]:
            needed = " (required)" if each.get("required") and each["in"] != "path" else ""
            text = _cell(each.get("description", ""))
            yield f"| `{each['name']}`{needed} | {each['in']} | {_kind(each['schema'])} | {text} |"
        yield ""


def _body(operation: dict[str, Any]) -> Iterator[str]:
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body: {_kind(content['schema'])}, as `{media}`."
        yield ""


def _answers(operation: dict[str, Any]) -> Iterator[str]:
    problems = []
    yield "Answers:\n"
    for status, answer in sorted(operation["responses"].items()):
        if status >= "400":
            problems.append(f"{status} {answer['description']}")
            continue
        kinds = " or ".join(
            f"{_kind(content['schema'])} as `{media}`" if media != "application/json" else _kind(content["schema"])
            for media, content in answer.get("content", {}).items()
            if content.get("schema")
        )
        said = "" if answer["description"] == "Successful Response" else f": {_cell(answer['description'])}"
        yield f"- **{status}** {kinds}{said}"
    yield f"- [problems](#problems): {', '.join(problems)}\n"


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    yield "# Schemas\n"
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        yield f"## {name}\n"
        if schema.get("description"):
            yield f"{schema['description'].replace('``', '`')}\n"
        if schema.get("enum"):
            yield f"{_kind(schema)}\n"
        if schema.get("properties"):
            # What is sent may leave things out; what is answered is complete.
            yield from _sent_fields(schema) if name.endswith("In") else _answered_fields(schema)
            yield ""


def _sent_fields(schema: dict[str, Any]) -> Iterator[str]:
    yield "| field | type | default | |\n|---|---|---|---|"
    needed = set(schema.get("required", ()))
    for field, each in schema["properties"].items():
        default = "required" if field in needed else _default(each)
        yield f"| `{field}` | {_kind(each)} | {default} | {_cell(each.get('description', ''))} |"


def _answered_fields(schema: dict[str, Any]) -> Iterator[str]:
    yield "| field | type | |\n|---|---|---|"
    for field, each in schema["properties"].items():
        yield f"| `{field}` | {_kind(each)} | {_cell(each.get('description', ''))} |"


def _default(schema: dict[str, Any]) -> str:
    return f"`{json.dumps(schema['default'])}`" if schema.get("default") is not None else ""


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(_kind(each) for each in schema[word]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return " ".join(filter(None, (str(schema.get("type", "any")), schema.get("format", "")))) + _range(schema)


def _range(schema: dict[str, Any]) -> str:
    bounds = [
        f"{words} {schema[key]:,.10g}"
        for key, words in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("maxLength", "up to"),
        )
        if isinstance(schema.get(key), (int, float))
    ]
    return f" {' '.join(bounds)}" if bounds else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


def _problems() -> Iterator[str]:
    yield f"""# Problems

Whatever is not 2xx or 3xx is a problem document (RFC 9457), `application/problem+json`:

```json
{{
  "type": "{TYPE_PREFIX}queue-full",
  "title": "Queue full",
  "status": 429,
  "detail": "Queue 'default' is full: 1,000 of 1,000 tasks wait to run. Try again in 1 s.",
  "instance": "/requests/01985b2e-7c1d-7e62-8f0f-2d2b2a6f7c11",
  "code": "queue-full",
  "queue": "default",
  "depth": 1000,
  "limit": 1000,
  "retry_after_seconds": 1.0
}}
```

`instance` has the request's id, which is in the server's log, and in the header `X-Request-ID` of the answer. `code`
does not change between versions. Those that [errors of the library](errors.md) have too mean the same.

| code | status | title |
|---|---|---|"""
    for code, problem in PROBLEMS.items():
        yield f"| `{code}` | {problem.status} | {problem.title} |"
