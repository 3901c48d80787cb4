"""The interactive documentation, served from this package: it works without a network, and under a strict policy."""

from __future__ import annotations

import gzip
from html import escape
from importlib import resources
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from distributed_queue.api.problems import ApiProblem

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""Swagger UI sets styles on elements; it needs no script but its own."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}/docs/static/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-document="{root}/openapi.json"></div>
<noscript>This page needs JavaScript. The document itself is <a href="{root}/openapi.json">openapi.json</a>.</noscript>
<script src="{root}/docs/static/swagger-ui-bundle.js"></script>
<script src="{root}/docs/static/start.js"></script>
</body>
</html>
"""


class _Asset(NamedTuple):
    file: str
    media_type: str


_ASSETS = {
    "swagger-ui-bundle.js": _Asset("swagger-ui-bundle.js.gz", "text/javascript"),
    "swagger-ui.css": _Asset("swagger-ui.css.gz", "text/css"),
    "start.js": _Asset("start.js", "text/javascript"),
}


@router.get("/docs")
async def show_docs(request: Request) -> HTMLResponse:
    """The page."""
    root = escape(request.scope.get("root_path", ""), quote=True)
    page = _PAGE.format(title=escape(request.app.title), root=root)
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/static/{name}")
async def get_asset(request: Request, name: str) -> Response:
    """One of its parts."""
    asset = _ASSETS.get(name)
    if asset is None:
        raise ApiProblem("not-found", "The documentation has no such part.")
    content = (resources.files("distributed_queue.api") / "static" / asset.file).read_bytes()
    headers = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
    if asset.file.endswith(".gz"):
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            content = gzip.decompress(content)
    return Response(content, media_type=asset.media_type, headers=headers)
