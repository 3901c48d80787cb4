"""The application that the project's settings describe."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.utils.module_loading import import_string

from distributed_queue.core.app import DistributedQ, Middleware
from distributed_queue.integrations.django.conf import read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from distributed_queue.core.worker.context import RunningTask


class CloseOldConnections(Middleware):
    """Closes database connections that are broken or too old (``CONN_MAX_AGE``), as Django does around a request."""

    @contextmanager
    def around_run(self, task: RunningTask) -> Iterator[None]:  # noqa: ARG002 - for all tasks alike
        """Before the run, too: the connection may have been closed by the server since the last one."""
        close_old_connections()
        try:
            yield
        finally:
            close_old_connections()

    @asynccontextmanager
    async def around_async_run(self, task: RunningTask) -> AsyncIterator[None]:  # noqa: ARG002 - as above
        """In the thread in which Django runs the database calls of coroutines."""
        close = sync_to_async(close_old_connections)
        await close()
        try:
            yield
        finally:
            await close()


def _make() -> DistributedQ:
    found = read_settings()
    chosen = [import_string(path)() for path in found.middleware]
    return DistributedQ(found.url, middleware=[CloseOldConnections(), *chosen], **found.options)


app = _make()
"""The project's application. Nothing is opened before the first submission."""
