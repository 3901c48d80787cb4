"""How much the server takes on at once. What is more is refused while that is cheap, so that the rest gets done.

A slow storage makes requests pile up. Their number and the bytes of their bodies are limited, and whoever has waited
for too long is told so: memory stays flat, and when the storage is back there is no backlog of requests that nobody
waits for any more.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from distributed_queue.api.options import PREFIX
from distributed_queue.api.problems import ApiProblem, retry_after

if TYPE_CHECKING:
    from starlette.types import Message, Receive

    from distributed_queue.api.options import ApiOptions

RETRY_SECONDS = 1.0
"""When to come back to a server that has too much to do."""
_UNCOUNTED = ("/events", "/health", "/ready", "/metrics")
"""Ends of addresses that are limited otherwise, or that tell how it stands when it stands badly."""
_TASKS = f"{PREFIX}/tasks/"
_REFUSALS_AT_ONCE = 20
_LONGEST_PAUSE_SECONDS = 1.0


class Admission:
    """The requests of one application that are under way. For its event loop's thread only."""

    def __init__(self, options: ApiOptions) -> None:
        self._options = options
        self._requests = 0
        self._waits = 0
        self._bytes = 0
        self._pause = 1 / options.max_refusals_per_second
        self._next_refusal = 0.0

    async def pace_refusal(self) -> None:
        """Wait before a refusal where there are many: whoever submits again at once is slowed down, not the work."""
        now = time.monotonic()
        earliest = max(self._next_refusal, now - _REFUSALS_AT_ONCE * self._pause)
        self._next_refusal = min(earliest + self._pause, now + _LONGEST_PAUSE_SECONDS)
        if self._next_refusal > now:
            await asyncio.sleep(self._next_refusal - now)

    def enter(self, *, waits: bool) -> float:
        """Count a request; the seconds that it has. Raises a problem where too much is under way."""
        if waits:
            self._check(self._waits < self._options.max_waits)
            self._waits += 1
            return self._options.max_wait_seconds + self._options.answer_seconds
        self._check(self._requests < self._options.max_requests)
        self._requests += 1
        return self._options.answer_seconds

    def leave(self, *, waits: bool) -> None:
        """Undo ``enter``."""
        if waits:
            self._waits -= 1
        else:
            self._requests -= 1

    def hold(self, size: int) -> None:
        """Count bytes of a body, or take back what was counted. Raises a problem where they are too many."""
        self._bytes += size
        self._check(size < 0 or self._bytes <= self._options.max_request_bytes)

    @staticmethod
    def _check(has_room: bool) -> None:
        if not has_room:
            detail = "This server has as much to do as it can. Nothing was changed. Try again."
            raise ApiProblem("overloaded", detail, **retry_after(RETRY_SECONDS))


class Passage:
    """One request on its way. It counts once its body has arrived: slow senders hold up nobody."""

    __slots__ = ("_admission", "_answered", "_bytes", "_counted", "_overdue", "_timed", "_timer", "_waits")

    def __init__(self, admission: Admission, *, timed: bool, waits: bool = False) -> None:
        self._admission = admission
        self._waits = waits
        self._bytes = 0
        self._counted = False
        self._timed = timed
        self._timer: asyncio.TimerHandle | None = None
        self._overdue = False
        self._answered = False

    @property
    def overdue(self) -> bool:
        """Whether it was cancelled because it took too long, before its answer began."""
        return self._overdue and not self._answered

    def begin(self) -> None:
        """Count it, and let its time begin. Raises a problem where too much is under way."""
        seconds = self._admission.enter(waits=self._waits)
        self._counted = True
        task = asyncio.current_task()
        if self._timed and task is not None:
            self._timer = task.get_loop().call_later(seconds, self._give_up, task)

    def receiving(self, receive: Receive) -> Receive:
        """``receive``, which counts the body, and begins when it is whole."""

        async def receive_admitted() -> Message:
            message = await receive()
            if self._counted:
                return message
            size = len(message.get("body", b""))
            self._bytes += size
            self._admission.hold(size)
            if not message.get("more_body"):
                self.begin()
            return message

        return receive_admitted

    def answered(self) -> None:
        """The answer begins: it is in time."""
        self._answered = True
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """It is over."""
        if self._timer is not None:
            self._timer.cancel()
        self._admission.hold(-self._bytes)
        if self._counted:
            self._admission.leave(waits=self._waits)

    def _give_up(self, task: asyncio.Task[object]) -> None:
        self._overdue = True
        task.cancel()


def is_counted(path: str) -> bool:
    """Whether a reading request counts: not one that tells how the server is, or that is limited otherwise."""
    return not path.endswith(_UNCOUNTED)


def is_waiting(path: str, query: bytes) -> bool:
    """Whether a request is there to wait for a task; many may, since they cost little."""
    return b"wait=" in query and path.startswith(_TASKS)
