"""Running a handler, and turning how it ended into a settlement."""

from __future__ import annotations

import contextvars
import logging
import time
import traceback
from typing import TYPE_CHECKING, Any

from distributed_queue.core.payload import UNREADABLE, decode_body, encode_result, payload_type, type_and_data
from distributed_queue.core.storage import Outcome, Settlement
from distributed_queue.core.task import Failure, describe, encode_failure
from distributed_queue.core.worker.children.wire import Logged, RemoteTraceback, Run
from distributed_queue.core.worker.context import running_attempt
from distributed_queue.core.worker.handlers import Executor
from distributed_queue.core.worker.verdict import judge
from distributed_queue.errors import (
    Discard,
    InvalidResult,
    InvalidTask,
    LeaseLost,
    Snooze,
    TaskCancelled,
    UnknownTaskType,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.task import Task
    from distributed_queue.core.worker.attempt import Attempt
    from distributed_queue.core.worker.children import Child, Children
    from distributed_queue.core.worker.children.wire import Progress, Reference
    from distributed_queue.core.worker.handlers import Handler, HandlerTable
    from distributed_queue.core.worker.verdict import Judgement

logger = logging.getLogger("distributed_queue.worker")

_COMPLETE = Outcome.COMPLETE


class Runner:
    """Runs attempts in the calling thread or on the event loop; ``ended`` receives each attempt when it is over."""

    def __init__(  # noqa: PLR0913 - what it tells others
        self,
        handlers: HandlerTable,
        *,
        error_handler: Callable[[Task, BaseException], object] | None,
        ended: Callable[[Attempt], None],
        limited: Callable[[float], None],
        keep_progress: Callable[[Attempt], None],
        result_limit_bytes: int,
        children: Children,
    ) -> None:
        self._handlers = handlers
        self._error_handler = error_handler
        self._ended = ended
        self._limited = limited
        """Called with the time limit of an attempt that has begun with one."""
        self._keep_progress = keep_progress
        """Called at the end of an attempt whose latest progress is not stored yet."""
        self._result_limit_bytes = result_limit_bytes
        self._children = children

    def executor(self, attempt: Attempt) -> Executor:
        """Where the attempt's handler has to run."""
        try:
            return self._handlers.find(payload_type(decode_body(attempt.claimed.body)[0])).executor
        except (InvalidTask, UnknownTaskType):
            return Executor.THREAD

    def run(self, attempt: Attempt) -> None:
        """Run a ``def`` handler here.

        From ``begin`` to ``end`` an interruption may be raised at any bytecode. So none of this module's own work is
        done there: raised inside of ``threading.Event.set``, say, it would leave a lock taken for ever.
        """
        if self._came_too_late(attempt):
            return
        handler: Handler | None = None
        data: Any = None
        result: Any = None
        error: BaseException | None = None
        try:
            handler, data = self._prepare(attempt)
        except Exception as unprepared:  # noqa: BLE001 - it is the attempt's outcome
            error = unprepared
        try:
            if not attempt.begin():
                return
            if handler is not None:
                try:
                    token = running_attempt.set(attempt)
                    try:
                        result = handler.function(data)
                    finally:
                        running_attempt.reset(token)
                except BaseException as raised:  # noqa: BLE001 - whatever a handler raises is its outcome
                    error = raised
            counts = attempt.end()
        except BaseException as late:  # noqa: BLE001 - an interruption that struck while the handler was returning
            error = late
            counts = attempt.end()
        if counts:
            self._conclude(attempt, handler, result, error)

    async def run_async(self, attempt: Attempt) -> None:
        """Run an ``async def`` handler in the current task of the event loop."""
        import asyncio  # noqa: PLC0415 - where such handlers are, it is loaded

        if self._came_too_late(attempt) or not attempt.begin(asyncio.current_task()):
            return
        handler: Handler | None = None
        result: Any = None
        error: BaseException | None = None
        try:
            handler, data = self._prepare(attempt)
            running_attempt.set(attempt)
            result = await handler.function(data)
        except asyncio.CancelledError as cancelled:
            error = cancelled if attempt.interruption is None else attempt.interruption()
        except BaseException as raised:  # noqa: BLE001 - whatever a handler raises is its outcome
            error = raised
        if attempt.end():
            self._conclude(attempt, handler, result, error)

    def run_in_child(self, attempt: Attempt) -> None:
        """Run a handler in a child process, and wait here until it is over."""
        if self._came_too_late(attempt):
            return
        handler: Handler | None = None
        child: Child | None = None
        result: _Encoded | None = None
        error: BaseException | None = None
        try:
            child = self._children.take()
            handler, _ = self._prepare(attempt)
        except Exception as unprepared:  # noqa: BLE001 - it is the attempt's outcome
            error = unprepared
        counts = attempt.begin(stop=child.kill if child is not None else _nothing)
        if counts:
            if child is not None and handler is not None and handler.reference is not None:
                try:
                    result = self._ask(child, handler.reference, attempt)
                except BaseException as raised:  # noqa: BLE001 - whatever a handler raises is its outcome
                    error = raised if attempt.interruption is None else attempt.interruption()
            counts = attempt.end()
        if child is not None:
            self._children.give_back(child)
        if counts:
            self._conclude(attempt, handler, result, error)

    def _came_too_late(self, attempt: Attempt) -> bool:
        """Give a task back whose lease is over already: the claim's answer was slow, or this process was stopped."""
        if time.monotonic() < attempt.lease_end or not attempt.withdraw():
            return False
        self._ended(attempt)
        return True

    def _ask(self, child: Child, reference: Reference, attempt: Attempt) -> _Encoded | None:
        def hear(said: Progress | Logged) -> None:
            if isinstance(said, Logged):
                attempt.say(said.line)
            else:
                attempt.progress = said.progress

        left = None if attempt.time_limit is None else attempt.time_limit - time.monotonic()
        encoded = child.run(Run(reference, attempt.claimed, left, self._result_limit_bytes), hear)
        return None if encoded is None else _Encoded(encoded)

    def failure(self, attempt: Attempt, error: BaseException) -> Settlement:
        """The settlement of an attempt that failed with ``error`` outside of its handler."""
        try:
            handler = self._handlers.find(attempt.task.type)
        except (InvalidTask, UnknownTaskType):
            handler = None
        return self._failed(attempt, handler, error)

    def _prepare(self, attempt: Attempt) -> tuple[Handler, Any]:
        payload, policies = decode_body(attempt.claimed.body)
        attempt.policies = policies
        task_type, data = type_and_data(payload)
        handler = self._handlers.find(task_type)
        timeout = handler.timeout if policies.timeout is None else policies.timeout
        if timeout is not None:
            attempt.time_limit = time.monotonic() + timeout
            self._limited(attempt.time_limit)
        return handler, data

    def _conclude(self, attempt: Attempt, handler: Handler | None, result: Any, error: BaseException | None) -> None:
        if attempt.progress is not attempt.stored_progress:
            self._keep_progress(attempt)
        try:
            attempt.settlement = self._settlement(attempt, handler, result, error)
        except Exception as unexpected:
            # Code of users may run here, such as that of a container in the result.
            logger.exception("the outcome of task %s cannot be told", attempt.claimed.id)
            failure = Failure.of(unexpected, attempt.claimed.attempt)
            note = attempt.note(unexpected)
            attempt.settlement = attempt.report(Outcome.BURY, error=encode_failure(failure), note=note)
        self._ended(attempt)

    def _settlement(
        self, attempt: Attempt, handler: Handler | None, result: Any, error: BaseException | None
    ) -> Settlement | None:
        """What to report; None if there is nothing to report."""
        if error is None:
            try:
                encoded = self._encode(result)
            except InvalidResult as invalid:
                return self._failed(attempt, handler, invalid)
            return attempt.report(_COMPLETE, result=encoded)
        if attempt.interruption is LeaseLost and isinstance(error, LeaseLost):
            return None
        if attempt.interruption is TaskCancelled and isinstance(error, TaskCancelled):
            return attempt.report(Outcome.CANCEL, note=attempt.note())
        return self._failed(attempt, handler, error)

    def _encode(self, result: Any) -> bytes | None:
        if result is None or isinstance(result, _Encoded):
            return result
        return encode_result(result, self._result_limit_bytes)

    def _failed(self, attempt: Attempt, handler: Handler | None, error: BaseException) -> Settlement:
        claimed = attempt.claimed
        where = None if isinstance(error, (Snooze, Discard)) else _traceback(error)
        encoded = encode_failure(Failure.of(error, claimed.attempt, where))
        note = attempt.note(error, where)
        try:
            task = attempt.task
        except InvalidTask as unreadable:
            logger.error("task %s cannot be read and is dead: %s", claimed.id, unreadable)  # noqa: TRY400 - ours
            return attempt.report(Outcome.BURY, error=encoded, reason=UNREADABLE, note=note)
        if self._error_handler is not None and not isinstance(error, (Snooze, Discard)):
            self._tell(self._error_handler, task, error)
        outcome, delay, reason = self._judge(attempt, handler, task, error)
        what = f"task {task.task_id} ({task.type})"
        summary = describe(error)[:500]
        if outcome is Outcome.BURY:
            logger.error("%s failed and is dead: %s", what, summary)
            return attempt.report(Outcome.BURY, error=encoded, reason=reason, note=note)
        if outcome is Outcome.RETRY:
            logger.warning("%s failed, next try in %.1f s: %s", what, delay, summary)
            return attempt.report(Outcome.RETRY, error=encoded, delay=delay, note=note)
        logger.info("%s: %s", what, summary)
        return attempt.report(outcome, delay=delay, note=note)

    def _judge(self, attempt: Attempt, handler: Handler | None, task: Task, error: BaseException) -> Judgement:
        claimed = attempt.claimed
        age = claimed.claimed_at + attempt.seconds - claimed.created_at
        try:
            return judge(error, task, handler.retry if handler else None, age)
        except Exception:
            logger.exception("the retry rule for task %s failed; the default counts", claimed.id)
            return judge(error, task, None, age)

    def _tell(self, error_handler: Callable[[Task, BaseException], object], task: Task, error: BaseException) -> None:
        try:
            contextvars.copy_context().run(error_handler, task, error)
        except BaseException:  # also SystemExit: it must not take the handler's thread with it
            logger.exception("the error handler failed for task %s", task.task_id)


class _Encoded(bytes):
    """A result that is encoded already."""


def _nothing() -> None:
    """For an attempt that has nothing to stop."""


def _traceback(error: BaseException) -> str | None:
    """The traceback from the handler's frame on; this module's own frames say nothing."""
    if isinstance(error.__cause__, RemoteTraceback):
        return error.__cause__.text
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    if frames is None:
        return None
    return "".join(traceback.format_exception(type(error), error, frames))
