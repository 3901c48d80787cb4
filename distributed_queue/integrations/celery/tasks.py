"""``celery.Task``: what is made of a function, how it is called, and what it sees while it runs."""

from __future__ import annotations

import functools
import inspect
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from distributed_queue.core.retry import Backoff, Retry, RetryPolicy
from distributed_queue.core.task import DEFAULT_PRIORITY
from distributed_queue.core.worker import current_task
from distributed_queue.errors import DeadLetter, RetryLater
from distributed_queue.integrations.celery.known import first_application, refuse
from distributed_queue.integrations.celery.results import AsyncResult, EagerResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from distributed_queue.core.app import DistributedQ, TaskFunction
    from distributed_queue.core.worker.context import RunningTask
    from distributed_queue.integrations.celery.application import Celery

_DEFAULT_RETRY_DELAY = 180.0
"""Celery's: three minutes."""
_MEANINGLESS = frozenset(
    {"acks_late", "acks_on_failure_or_timeout", "compression", "ignore_result", "pydantic", "send_events", "serializer",
     "reject_on_worker_lost", "shared", "store_errors_even_if_ignored", "throws", "track_started", "trail", "typing"}
)  # fmt: skip
"""Options for which this queue has one behaviour, which is at least as safe: leases, results, MessagePack."""


class Task:
    """``celery.Task``: what ``@app.task`` makes of a function."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        unknown = options.keys() - _MEANINGLESS - _OPTIONS
        if unknown:
            refuse(f"the task option {min(unknown)!r}", "see the guide on moving from Celery")
        functools.update_wrapper(self, function)  # for its name and docstring
        self._options = options
        self._bound = bool(options.get("bind"))
        self._function = function
        self.name = str(options.get("name") or f"{function.__module__}.{function.__name__}")
        self.max_retries: int | None = options.get("max_retries", 3)
        self.default_retry_delay = float(options.get("default_retry_delay", _DEFAULT_RETRY_DELAY))
        self.app: Celery | None = None
        self._made: TaskFunction[Any, Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it here."""
        return self._function(self, *args, **kwargs) if self._bound else self._function(*args, **kwargs)

    def bind(self, app: Celery) -> None:
        """Make it a task of ``app``."""
        self.app, self._made = app, None

    def declare(self, app: DistributedQ) -> TaskFunction[Any, Any]:
        """Make the function that workers run."""
        options = self._options
        limit = options.get("time_limit") or options.get("soft_time_limit")
        made: TaskFunction[Any, Any] = app.task(
            name=self.name,
            queue=options.get("queue") or "default",
            priority=DEFAULT_PRIORITY if options.get("priority") is None else options["priority"],
            retry=self._retry_rule(),
            timeout=options.get("soft_time_limit") or limit,
        )(self._callable())
        self._made = made
        return made

    # Calling

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult:
        """``task.delay(…)``."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult:
        """``task.apply_async(args, kwargs, countdown=, eta=, expires=, queue=, priority=, task_id=, time_limit=)``."""
        made = self._declared()
        chosen = {
            name: value for name, value in options.items() if value is not None and name not in _IRRELEVANT_CALL_OPTIONS
        }
        unknown = chosen.keys() - _CALL_OPTIONS.keys()
        if unknown:
            refuse(f"apply_async(…, {min(unknown)}=…)", "see the guide on moving from Celery")
        translated = {_CALL_OPTIONS[name]: value for name, value in chosen.items()}
        if isinstance(translated.get("expires_at"), (int, float, timedelta)):
            # Celery's are relative, unless they are a datetime.
            after = translated["expires_at"]
            seconds = after.total_seconds() if isinstance(after, timedelta) else float(after)
            translated["expires_at"] = datetime.now().astimezone() + timedelta(seconds=seconds)
        for name in ("execute_after", "expires_at"):
            moment = translated.get(name)
            if isinstance(moment, datetime) and moment.tzinfo is None:
                translated[name] = moment.astimezone()  # as Celery with enable_utc=False: the local time
        handle = made.options(**translated).submit(*(args or ()), **(kwargs or {}))
        return AsyncResult(handle.id, self.app)

    def apply(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **_: Any
    ) -> EagerResult:
        """Run it here, at once."""
        try:
            return EagerResult(self(*(args or ()), **(kwargs or {})), None)
        except Exception as error:  # noqa: BLE001 - it is the result
            return EagerResult(None, error)

    def s(self, *_: Any, **__: Any) -> NoReturn:
        """Signatures are not carried over."""
        refuse("signatures (task.s, chain, group, chord)", "submit the next task at the end of the one before")

    si = signature = subtask = map = starmap = chunks = s

    # Inside of a run

    @property
    def request(self) -> Request:
        """``self.request`` in a bound task; in one that was merely called, it is empty."""
        try:
            return Request(current_task())
        except LookupError:
            return Request(None)

    def retry(
        self,
        exc: BaseException | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        max_retries: int | None = None,
        **_: Any,
    ) -> NoReturn:
        """``raise self.retry(…)``: try again later, or fail for good when the retries are used up."""
        running = current_task()
        limit = self.max_retries if max_retries is None else max_retries
        if limit is not None and self.max_retries is not None and limit > self.max_retries:
            refuse(f"self.retry(max_retries={limit})", f"let the task have max_retries={limit} among its options")
        if limit is not None and running.retry_count >= limit:
            if exc is not None:
                raise DeadLetter("failed", f"{type(exc).__name__}: {exc}") from exc
            raise DeadLetter("failed", f"{self.name} was tried {running.retry_count + 1} times")
        delay = self.default_retry_delay if countdown is None else float(countdown)
        if eta is not None:
            delay = max(0.0, (eta.astimezone() - datetime.now().astimezone()).total_seconds())
        raise RetryLater(delay, f"{type(exc).__name__}: {exc}" if exc is not None else "the task asked for a retry")

    def update_state(self, state: str | None = None, meta: Any = None, **_: Any) -> None:
        """Progress, as far as ``meta`` has ``current`` and ``total``; the state itself is the queue's."""
        done, total = (meta.get("current"), meta.get("total")) if isinstance(meta, dict) else (None, None)
        current_task().progress(0 if done is None else done, total, note=state)

    def _declared(self) -> TaskFunction[Any, Any]:
        application = self.app or first_application()
        if self.app is None:
            application.add(self)
        return self._made or self.declare(application.app)

    def _retry_rule(self) -> Retry:
        """Celery tries again what is in ``autoretry_for``, and what asks for it; all else fails at once."""
        options = self._options
        on = tuple(options.get("autoretry_for") or ())
        limit = {**options, **(options.get("retry_kwargs") or {})}.get("max_retries", 3)
        backoff = options.get("retry_backoff")
        policy = RetryPolicy(
            backoff=Backoff.FIXED, base=self.default_retry_delay, jitter=0, cap=max(600.0, self.default_retry_delay)
        )
        if backoff:
            policy = RetryPolicy(
                base=1.0 if backoff is True else float(backoff),
                cap=float(options.get("retry_backoff_max", 600)),
                jitter=1.0 if options.get("retry_jitter", True) else 0.0,
            )
        give_up_on = tuple(options.get("dont_autoretry_for") or ())
        return Retry(max_retries=10_000 if limit is None else limit, policy=policy, on=on, give_up_on=give_up_on)

    def _callable(self) -> Callable[..., Any]:
        """The function without ``self``."""
        function = self._function
        if not self._bound:
            return function
        parameters = list(inspect.signature(function).parameters.values())[1:]

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(self, *args, **kwargs)

        call.__signature__ = inspect.signature(function).replace(parameters=parameters)  # type: ignore[attr-defined]
        return call


_OPTIONS = frozenset(
    {"name", "bind", "queue", "priority", "max_retries", "default_retry_delay", "autoretry_for", "dont_autoretry_for",
     "retry_kwargs", "retry_backoff", "retry_backoff_max", "retry_jitter", "time_limit", "soft_time_limit"}
)  # fmt: skip
_CALL_OPTIONS = {
    "countdown": "delay",
    "eta": "execute_after",
    "expires": "expires_at",
    "queue": "queue",
    "priority": "priority",
    "task_id": "task_id",
    "time_limit": "timeout",
    "soft_time_limit": "timeout",
    "max_retries": "max_retries",
}
_IRRELEVANT_CALL_OPTIONS = frozenset(
    {"retry", "retry_policy", "serializer", "compression", "ignore_result", "connection", "producer", "add_to_parent",
     "publisher", "headers", "argsrepr", "kwargsrepr"}
)  # fmt: skip


class Request:
    """``self.request``."""

    def __init__(self, running: RunningTask | None) -> None:
        self.id = running.task_id if running else None
        self.retries = running.retry_count if running else 0
        self.delivery_info = {"routing_key": running.queue, "priority": running.priority} if running else {}
        self.called_directly = running is None
