"""A real server for the tests of the dashboard: API and dashboard together, as ``dq serve`` puts them."""

from __future__ import annotations

import html
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from distributed_queue.api import ApiOptions, create_app
from distributed_queue.cli.dashboard import add_dashboard
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.dashboard import ADDRESSES
from distributed_queue.settings import trace
from distributed_queue.tests.steps import LIMIT
from distributed_queue.tests.surfaces.api_server import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed_queue.core.worker import WorkerPool
    from distributed_queue.dashboard import Dashboard
    from distributed_queue.observability.deliveries import DeliveryTimes
    from distributed_queue.webhooks import Register

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
_TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')


class Site:
    """A server, and a browser of sorts that keeps cookies and sends forms."""

    def __init__(self, dashboard: Dashboard, queue: HybridQueue, port: int) -> None:
        self.dashboard = dashboard
        self.queue = queue
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=LIMIT, trust_env=False, follow_redirects=True)

    def page(self, path: str, status: int = 200) -> str:
        """The text of a page as a person reads it: unescaped, without tags, spaces made one."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return text_of(answer.text)

    def send(self, path: str, page: str = "/", status: int = 200, **fields: Any) -> str:
        """Send a form that ``page`` has, as a browser would; the text of the page that follows."""
        found = _TOKEN.search(self.client.get(page).text)
        assert found is not None, f"{page} has no form"
        answer = self.client.post(path, data={"token": found[1], **fields}, headers=SAME_ORIGIN)
        assert answer.status_code == status, answer.text
        return text_of(answer.text)

    def sign_in(self, key: str) -> str:
        """Sign in."""
        return self.send("/sign-in", "/sign-in", key=key, next="/")


def text_of(page: str) -> str:
    """What a page says."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.partition("<body")[2])).split())


@contextmanager
def site(
    queue: HybridQueue | None = None,
    *,
    pool: WorkerPool | None = None,
    keys_file: Path | None = None,
    webhooks: Register | None = None,
    deliveries: DeliveryTimes | None = None,
    **settings: Any,
) -> Iterator[Site]:
    """A dashboard over ``queue``, or over a new one in memory. The settings are those of the program."""
    own = HybridQueue() if queue is None else queue
    try:
        traced = trace({**settings, "api_keys_file": keys_file and str(keys_file)}, {}, None)
        options = ApiOptions(
            api_key=traced.settings.api_key,
            keys_file=keys_file,
            access=dict.fromkeys(ADDRESSES),
            home=None,
            webhooks=webhooks,
            deliveries=deliveries,
        )
        app = create_app(own, pool, options)
        with add_dashboard(app, own, pool, traced) as dashboard, running(app) as (_, port):
            place = Site(dashboard, own, port)
            with place.client:
                yield place
            dashboard.close()
    finally:
        if pool is not None:
            pool.stop_all()
        if queue is None:
            own.close()
