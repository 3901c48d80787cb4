"""The child's side: a loop that runs one handler at a time."""

from __future__ import annotations

import asyncio
import inspect
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any

from distributed_queue.core.payload import decode_body, encode_result, type_and_data
from distributed_queue.core.worker.attempt import Attempt
from distributed_queue.core.worker.children.wire import Logged, Progress, Raised, Returned, decode_request, encode
from distributed_queue.core.worker.context import running_attempt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from distributed_queue.core.notes import LogLine
    from distributed_queue.core.worker.children.wire import Run

_MAX_TRACEBACK = 16_000


class ChildAttempt(Attempt):
    """The attempt as the handler sees it here: what it says goes to the worker."""

    __slots__ = ("_connection",)

    def __init__(self, run: Run, connection: Connection) -> None:
        self._connection = connection
        super().__init__(run.claimed, math.inf)
        self.time_limit = None if run.seconds is None else time.monotonic() + run.seconds

    @property
    def progress(self) -> bytes | None:
        """Write-only in a child."""
        return None

    @progress.setter
    def progress(self, progress: bytes | None) -> None:
        if progress is not None:
            self._connection.send_bytes(encode(Progress(progress)))

    def say(self, line: LogLine) -> None:
        """Pass a line of the handler's log on."""
        self._connection.send_bytes(encode(Logged(line)))


def serve(connection: Connection, imports: Sequence[str]) -> None:
    """Import what sets the process up, then run what the worker sends until it hangs up."""
    # The worker decides when to stop; signals to the whole group are not for its children. No SIG_IGN: programs that
    # handlers start would inherit that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for module in imports:
        import_module(module)
    while True:
        try:
            request = connection.recv_bytes()
        except (EOFError, OSError):
            return
        connection.send_bytes(encode(_run(decode_request(request), connection)))


def _run(run: Run, connection: Connection) -> Returned | Raised:
    try:
        function = _handler(run.handler.resolve())
        _, data = type_and_data(decode_body(run.claimed.body)[0])
        token = running_attempt.set(ChildAttempt(run, connection))
        try:
            result = function(data)
            if inspect.isawaitable(result):
                result = asyncio.run(_wait(result))
        finally:
            running_attempt.reset(token)
        return Returned(None if result is None else encode_result(result, run.result_limit_bytes), _memory_bytes())
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its outcome
        return _describe(error)


def _handler(found: Any) -> Any:
    """What is called with a task's data: of a task function, its handler."""
    return getattr(found, "handler", found)


async def _wait(awaitable: Any) -> Any:
    return await awaitable


def _describe(error: BaseException) -> Raised:
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - __str__ is the user's code
        message = "(its message cannot be shown)"
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))[-_MAX_TRACEBACK:]
    return Raised(
        tuple((kind.__module__, kind.__qualname__) for kind in type(error).__mro__[:-1]),
        message.encode("utf-8", "replace").decode(),
        text.encode("utf-8", "replace").decode(),
        _memory_bytes(),
        delay=float(getattr(error, "delay", 0.0) or 0.0),
        reason=str(getattr(error, "reason", "") or ""),
    )


def _memory_bytes() -> int:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _end_with_parent() -> None:
    """A worker that was killed leaves no children behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
