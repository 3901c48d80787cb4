"""The dashboard as programs use it: made, mounted, started and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from distributed_queue.core.clock import SystemClock
from distributed_queue.dashboard.assets import load_assets
from distributed_queue.dashboard.desk import Desk
from distributed_queue.dashboard.gate import Gate, OpenGate
from distributed_queue.dashboard.guarding import Guarding, show_missing
from distributed_queue.dashboard.live import Streams
from distributed_queue.dashboard.routes import make_routes
from distributed_queue.dashboard.sessions import Sessions
from distributed_queue.dashboard.shell import Notices, SettingRow, WebhookRow, load_templates
from distributed_queue.observability.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.worker import WorkerPool


class Dashboard:
    """The pages over a queue. ``app`` is the ASGI application; queue and pool are the caller's.

    ``label`` is shown at the top, to tell one environment from another. ``settings`` are what the program was told,
    ``webhooks`` gives those that it sends: it may block, and raise the library's errors.
    """

    def __init__(  # noqa: PLR0913 - what it shows
        self,
        queue: HybridQueue,
        pool: WorkerPool | None = None,
        gate: Gate | None = None,
        *,
        settings: Sequence[SettingRow] = (),
        webhooks: Callable[[], Sequence[WebhookRow]] | None = None,
        label: str = "",
    ) -> None:
        self.now = SystemClock().now
        self.gate: Gate = gate or OpenGate()
        self.settings = settings
        self.webhooks = webhooks
        self.label = label
        self.queue = queue
        self.desk = Desk(queue, pool)
        self.sampler = Sampler(queue, self.now)
        self.sessions = Sessions()
        self.notices = Notices()
        self.streams = Streams()
        self.templates = load_templates()
        self.app = Starlette(
            routes=make_routes(load_assets()),
            middleware=[Middleware(Guarding, dashboard=self)],
            exception_handlers={HTTPException: show_missing},
        )
        self.app.state.dashboard = self

    def start(self) -> None:
        """Begin to look at the queue."""
        self.sampler.start()

    def close(self) -> None:
        """Look no more, and end the streams. Call it before the server stops. A second call does nothing."""
        self.sampler.end()
        self.desk.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
