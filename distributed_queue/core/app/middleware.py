"""What happens around every submission and every run of an application's functions."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from distributed_queue.core.storage import Exchange, Settlement
    from distributed_queue.core.task import Task
    from distributed_queue.core.worker.context import RunningTask


class Middleware:
    """Override what is of interest; the others do nothing. The first one of an application is the outermost."""

    @contextmanager
    def around_submit(self, tasks: Sequence[Task]) -> Iterator[None]:  # noqa: ARG002 - for those that override it
        """Tasks are about to be stored in one step, and may be changed; after the ``yield`` they are, or it failed."""
        yield

    def before_submit(self, task: Task) -> None:
        """A task is about to be stored. It may be changed; what is raised here refuses it."""

    def after_submit(self, task: Task) -> None:
        """A task was stored."""

    @contextmanager
    def around_run(self, task: RunningTask) -> Iterator[None]:  # noqa: ARG002 - for those that override it
        """A function is about to run; after the ``yield`` it has returned, or has raised through it.

        On an event loop it must not block.
        """
        yield

    @asynccontextmanager
    async def around_async_run(self, task: RunningTask) -> AsyncIterator[None]:
        """The same for an ``async def`` function, where there is something to await; by default ``around_run``."""
        with self.around_run(task):
            yield

    def after_exchange(self, settlements: Sequence[Settlement], answer: Exchange, seconds: float) -> None:
        """A worker that runs the application's functions has reported outcomes, and got further tasks, in one step.

        The worker waits for it.
        """
