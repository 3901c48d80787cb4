"""What every page is made with: templates, who looks, and the frame around."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import parse_qs, quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from distributed_queue.dashboard import formats
from distributed_queue.dashboard.assets import load_assets
from distributed_queue.observability.problems import find_problems, worst
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from distributed_queue.dashboard.dashboard import Dashboard
    from distributed_queue.dashboard.gate import Permission, Viewer
    from distributed_queue.dashboard.sessions import Session
    from distributed_queue.observability.sampler import Sample

VIEWER = "distributedq.viewer"
SESSION = "distributedq.session"
"""Where the ASGI scope has who looks, and their session."""
NAVIGATION = (
    ("", "Overview", "o"),
    ("tasks", "Tasks", "t"),
    ("queues", "Queues", "q"),
    ("workers", "Workers", "w"),
    ("dead", "Dead letters", "d"),
    ("charts", "Metrics", "m"),
    ("journal", "Journal", "j"),
    ("settings", "Settings", "s"),
)
"""Pages, with the key that leads there after ``g``. Schedules and workflows stand after the tasks, once they are."""
_THEMES = frozenset({"light", "dark"})
_MAX_FIELDS = 3000
_MAX_NOTICES = 200


class SettingRow(NamedTuple):
    """One setting of the program, as the page shows it. Secrets come masked."""

    name: str
    variable: str
    value: str
    origin: str
    doc: str


class WebhookRow(NamedTuple):
    """One webhook, as the page shows it. Times are seconds since the epoch."""

    id: str
    url: str
    events: tuple[str, ...]
    queues: tuple[str, ...]
    disabled_because: str
    """Empty where it is enabled."""
    delivered_at: float
    failed_at: float
    """When this server last did; 0 for not since it started."""


class Denied(Exception):
    """The viewer may not do this."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(f"This needs a key with the role {permission}.")


class Notices:
    """What actions have to say to the pages that follow. Kept here, so that no address puts words in our mouth."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def keep(self, text: str, kind: str) -> str:
        """The name under which the page finds it."""
        name = secrets.token_urlsafe(9)
        self._texts[name] = (text, kind)
        if len(self._texts) > _MAX_NOTICES:
            self._texts.popitem(last=False)
        return name

    def find(self, name: str) -> tuple[str, str] | None:
        """Text and kind."""
        return self._texts.get(name)


def dashboard_of(request: Request) -> Dashboard:
    """The dashboard that got the request."""
    return cast("Dashboard", request.app.state.dashboard)


def viewer_of(request: Request) -> Viewer:
    """Who sent the request."""
    return cast("Viewer", request.scope[VIEWER])


def need(request: Request, permission: Permission) -> None:
    """Raise ``Denied`` unless the viewer may."""
    if not viewer_of(request).may(permission):
        raise Denied(permission)


def note(request: Request, **facts: Any) -> None:
    """Tell the log of changes what the request is about."""
    dashboard_of(request).gate.record(request, viewer_of(request), facts)


@cache
def load_templates() -> Environment:
    """The templates. Everything that comes into one is escaped; none of them marks anything as safe."""
    environment = Environment(
        loader=PackageLoader("distributed_queue.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(formats.FILTERS)
    environment.filters["address"] = lambda text: quote(str(text), safe="")
    environment.globals.update(asset=load_assets().address, version=__version__, navigation=NAVIGATION)
    return environment


def render(request: Request, template: str, title: str, status: int = 200, **context: Any) -> Response:
    """A page in its frame."""
    dashboard = dashboard_of(request)
    sample: Sample = dashboard.sampler.latest
    session = cast("Session | None", request.scope.get(SESSION))
    problems = find_problems(sample)
    root = request.scope.get("root_path", "")
    query = f"?{request.url.query}" if request.url.query else ""
    theme = request.cookies.get("dq_theme", "")
    page = dashboard.templates.get_template(template).render(
        title=title,
        root=root,
        here=request.url.path + query,
        back=request.url.path[len(root) :] + query,
        section=request.url.path[len(root) :].strip("/").partition("/")[0],
        theme=theme if theme in _THEMES else "system",
        zone="local" if request.cookies.get("dq_zone") == "local" else "utc",
        viewer=request.scope.get(VIEWER),
        signed_in=session is not None,
        token=dashboard.sessions.form_token(session),
        notice=dashboard.notices.find(request.query_params.get("notice", "")),
        sample=sample,
        now=dashboard.now(),
        problems=problems,
        worst=worst(problems),
        label=dashboard.label,
        **context,
    )
    return HTMLResponse(page, status)


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a form, empty ones too."""
    text = (await request.body()).decode("utf-8", "replace")
    return parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)


class Form(dict[str, list[str]]):
    """The fields of a form."""

    def one(self, name: str) -> str:
        """The value of a field; empty where it was not sent."""
        return self.get(name, [""])[0].strip()


def form_of(request: Request) -> Form:
    """The form that came with the request; the guard has read it."""
    return Form(request.scope["distributedq.form"])


def go(request: Request, path: str, text: str = "", kind: str = "done") -> Response:
    """Lead on to a page of the dashboard, which says ``text``."""
    if not path.startswith("/") or path.startswith(("//", "/\\")):
        path = "/"
    page, _, query = path.partition("?")
    fields = [field for field in query.split("&") if field and not field.startswith("notice=")]
    if text:
        fields.append(f"notice={dashboard_of(request).notices.keep(text, kind)}")
    query = "?" + "&".join(fields) if fields else ""
    return RedirectResponse(request.scope.get("root_path", "") + page + query, 303)
