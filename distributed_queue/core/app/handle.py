"""What ``submit`` returns: the way to one task and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

    from distributed_queue.core.app.app import DistributedQ
    from distributed_queue.core.app.signature import Signature
    from distributed_queue.core.task import Task

R = TypeVar("R")


class TaskHandle(Generic[R]):
    """A submitted task. ``await handle`` is its result, as is ``handle.result()``."""

    __slots__ = ("_app", "_signature", "id")

    def __init__(self, app: DistributedQ, task_id: str, signature: Signature) -> None:
        self._app = app
        self._signature = signature
        self.id = task_id

    def result(self, timeout: float | None = None) -> R:
        """The result once the task is completed; ``timeout`` in seconds, None for as long as it takes.

        Raises ``ResultTimeout``, ``TaskFailed`` where it ended without one, ``TaskNotFound`` where its retention is
        over.
        """
        return self._value(self._app.queue.wait_result(self.id, timeout))

    async def aresult(self, timeout: float | None = None) -> R:
        """See ``result``."""
        return self._value(await (await self._app.open_async()).wait_result(self.id, timeout))

    def __await__(self) -> Generator[Any, None, R]:
        return self.aresult().__await__()

    def task(self) -> Task | None:
        """The task as it is now: status, attempts, error and more; None if it is not stored (any more)."""
        return self._app.queue.get_task(self.id)

    async def atask(self) -> Task | None:
        """See ``task``."""
        return await (await self._app.open_async()).get_task(self.id)

    def cancel(self) -> bool:
        """Cancel a task that waits, or ask a running one to stop. False if it is finished or unknown."""
        return self._app.queue.cancel(self.id)

    async def acancel(self) -> bool:
        """See ``cancel``."""
        return await (await self._app.open_async()).cancel(self.id)

    def __repr__(self) -> str:
        return f"<TaskHandle {self.id}>"

    def _value(self, plain: Any) -> R:
        value: R = self._signature.decode_result(plain)
        return value
