"""Signing in with an API key, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.dashboard.gate import Refusal
from distributed_queue.dashboard.sessions import COOKIE, LONGEST_SECONDS
from distributed_queue.dashboard.shell import SESSION, dashboard_of, form_of, go, render

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def show(request: Request) -> Response:
    """The form."""
    if not dashboard_of(request).gate.closed or request.scope[SESSION] is not None:
        return go(request, _target(request.query_params.get("next", "/")))
    return _form(request, request.query_params.get("next", "/"))


async def sign_in(request: Request) -> Response:
    """Check the key; begin a session."""
    dashboard, form = dashboard_of(request), form_of(request)
    address = request.client.host if request.client else ""
    viewer = dashboard.gate.admit(form.one("key"), address)
    if isinstance(viewer, Refusal):
        return _form(request, form.one("next"), viewer.detail, viewer.status)
    response = go(request, _target(form.one("next")))
    response.set_cookie(
        COOKIE,
        dashboard.sessions.begin(viewer),
        max_age=int(LONGEST_SECONDS),
        path=request.scope.get("root_path", "") + "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


async def sign_out(request: Request) -> Response:
    """End the session, here and in the browser."""
    session = request.scope[SESSION]
    if session is not None:
        dashboard_of(request).sessions.end(session)
    response = go(request, "/")
    response.delete_cookie(COOKIE, path=request.scope.get("root_path", "") + "/")
    return response


def _form(request: Request, target: str, refusal: str = "", status: int = 200) -> Response:
    return render(request, "sign_in.html", "Sign in", status, target=_target(target), refusal=refusal)


def _target(path: str) -> str:
    """Where to go afterwards: a page of ours, else the first one."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\", "/sign-")) else "/"
