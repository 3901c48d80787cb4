"""Stylesheets and scripts, served from this package under names that change with their content."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"
_FILES = (
    "dashboard.css",
    "dashboard.js",
    "charts.js",
    "icon.svg",
    "vendor/htmx.min.js",
    "vendor/idiomorph-ext.min.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
)


class _Asset(NamedTuple):
    content: bytes
    packed: bytes
    media_type: str
    version: str


class Assets:
    """All of them, read once."""

    def __init__(self) -> None:
        home = resources.files(__package__) / "static"
        self._assets = {
            name.rpartition("/")[2]: _load(home.joinpath(*name.split("/")).read_bytes(), name) for name in _FILES
        }

    def address(self, name: str) -> str:
        """Where a page finds the asset."""
        return f"/static/{name}?v={self._assets[name].version}"

    async def answer(self, request: Request) -> Response:
        """The asset, compressed where the browser takes that."""
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(asset.content, headers=headers, media_type=asset.media_type)
        return Response(asset.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.media_type)


@cache
def load_assets() -> Assets:
    """All of them; they do not change while the program runs."""
    return Assets()


def _load(content: bytes, name: str) -> _Asset:
    media_type = _TYPES[name[name.rindex(".") :]]
    packed = gzip.compress(content, mtime=0)
    return _Asset(content, packed, media_type, hashlib.sha256(content).hexdigest()[:12])
