"""What holds for every request: who sent it, that a change comes from our own page, and what a page may load."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from distributed_queue.dashboard.gate import ANYONE
from distributed_queue.dashboard.sessions import COOKIE
from distributed_queue.dashboard.shell import SESSION, VIEWER, Denied, read_form, render
from distributed_queue.errors import DistributedQueueError, InvalidInput, StorageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from distributed_queue.dashboard.dashboard import Dashboard

logger = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PUBLIC = ("/static/", "/sign-in")
_LIVE = "/live/events"
FORM = "distributedq.form"
_SEE_LOG = "The server's log says why."
_PROBLEMS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (Denied, 403, "Not allowed", "Sign in with another key."),
    (InvalidInput, 400, "That cannot be done", "Go back and change it."),
    (DistributedQueueError, 409, "That was not done", "Load the page again."),
)


class Guarding:
    """The one middleware."""

    def __init__(self, app: ASGIApp, dashboard: Dashboard) -> None:
        self._app = app
        self._dashboard = dashboard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of any kind."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        request = Request(scope, receive)
        response = self._identify(request) or await self._check_origin(request)
        if response is not None:
            await response(scope, receive, answer)
            return
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            if started:
                raise
            await (await show_error(request, error))(scope, receive, answer)

    def _identify(self, request: Request) -> Response | None:
        """Note who sent the request; a response where they have to sign in first."""
        dashboard, scope = self._dashboard, request.scope
        path = request.url.path[len(scope.get("root_path", "")) :]
        scope[SESSION] = session = dashboard.sessions.find(request.cookies.get(COOKIE), seen=path != _LIVE)
        if not dashboard.gate.closed:
            scope[VIEWER] = ANYONE
            return None
        if session is not None and dashboard.gate.still_knows(session.viewer):
            scope[VIEWER] = session.viewer
            return None
        if session is not None:
            dashboard.sessions.end(session)
        scope[SESSION] = scope[VIEWER] = None
        if path.startswith(_PUBLIC):
            return None
        return _to_sign_in(request, path)

    async def _check_origin(self, request: Request) -> Response | None:
        """A refusal of a change that does not come from our own page. Reads the form."""
        if request.method in {"GET", "HEAD"}:
            return None
        if request.method != "POST":
            return PlainTextResponse("Pages are read with GET; forms are sent with POST.", 405)
        if not _is_same_origin(request):
            return PlainTextResponse("Changes are taken from the dashboard's own pages only.", 403)
        try:
            request.scope[FORM] = form = await read_form(request)
        except ValueError:
            return PlainTextResponse("The form has too many fields.", 400)
        token = form.get("token", [""])[0]
        if not self._dashboard.sessions.is_form_token(request.scope[SESSION], token):
            return PlainTextResponse(
                "This page is from before the server started, or from before you signed in. Go back, load it again, "
                "and try once more. Nothing was changed.",
                403,
            )
        return None


def _to_sign_in(request: Request, path: str) -> Response:
    root = request.scope.get("root_path", "")
    if path == _LIVE:
        return PlainTextResponse("Sign in first.", 401)
    query = f"?{request.url.query}" if request.url.query else ""
    target = path + query if request.method == "GET" else "/"
    address = f"{root}/sign-in?next={quote(target, safe='')}"
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


def _is_same_origin(request: Request) -> bool:
    """As browsers tell it: by Sec-Fetch-Site, older ones by Origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")


async def show_error(request: Request, error: Exception) -> Response:
    """A page for what went wrong: it says why, and what to do."""
    if isinstance(error, (StorageError, asyncio.TimeoutError)):
        reason = str(error) or "The storage did not answer in time."
        logger.warning("a page could not be shown: %s", reason)
        return render(request, "down.html", "The storage cannot be used", 503, reason=reason)
    for kind, status, title, advice in _PROBLEMS:
        if isinstance(error, kind):
            return render(request, "problem.html", title, status, reason=str(error), advice=advice)
    logger.error("a page failed", exc_info=error)
    return render(request, "problem.html", "Something went wrong", 500, reason="This page failed.", advice=_SEE_LOG)


async def show_missing(request: Request, error: Exception) -> Response:
    """A page for an address that leads nowhere."""
    del error
    return render(request, "problem.html", "There is nothing here", 404, reason="No page has this address.", advice="")
