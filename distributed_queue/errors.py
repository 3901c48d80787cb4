"""Every error that the library raises, as one tree.

::

    DistributedQueueError
     ├─ InvalidInput                  the caller gave something that can never work; nothing was changed
     │   ├─ InvalidTask                 a field of a task is out of range or malformed
     │   │   ├─ PayloadTooLarge           its encoded form is over the limit
     │   │   └─ InvalidArguments          a task function cannot be called with these
     │   ├─ InvalidQueueName
     │   ├─ InvalidCursor               a pagination cursor that this storage did not make
     │   └─ ConfigurationError          a setting or option is wrong
     │       ├─ InvalidStorageURL
     │       └─ MissingDependency         an extra has to be installed
     ├─ QueueFull                     the queue is at its limit; carries advice
     ├─ TaskNotFound
     ├─ WebhookNotFound
     ├─ TaskConflict                  the task's state, or its id, forbids this
     ├─ TaskFailed                    a result was asked for, and the task ended without one
     ├─ ResultTimeout                 the task did not finish in time
     ├─ QueueClosed                   used after ``close()``
     ├─ StorageError                  the storage refused or failed
     │   ├─ StorageUnavailable          it cannot be reached now
     │   ├─ NotReplicated               done, but too few replicas have it yet
     │   ├─ StorageFull                 no space or memory left in it; reads go on
     │   └─ StorageIncompatible         wrong version, layout or setting; needs an operator
     │      └─ StorageRefused           wrong user or password, or one that may not do what is needed
     └─ HandlerError                  how the run of a handler ended
         ├─ UnknownTaskType
         ├─ InvalidResult               what the handler returned cannot be stored
         ├─ ProcessDied                 the child process that ran a handler ended
         ├─ TimeLimitExceeded           raised inside a handler that ran too long
         ├─ TaskCancelled               raised inside a handler whose task was cancelled
         ├─ LeaseLost                   raised inside a handler whose lease ended
         └─ Verdict                     raised by a handler, to say what is to become of its task
             ├─ RetryLater                tried again after a delay of its choice; counts as a failure
             ├─ Snooze                    run again later; does not count as a failure
             ├─ Discard                   over, without a result: cancelled
             └─ DeadLetter                failed for good, for a reason of its choice

Each class has a stable ``code`` (for logs, REST and metrics) and a ``transient`` flag: whether the same call may
succeed later without a change. Messages name the object and the remedy; details are attributes, not text to parse.
"""

from __future__ import annotations

from typing import ClassVar


class DistributedQueueError(Exception):
    """Base of everything raised on purpose."""

    code: ClassVar[str] = "error"
    transient: ClassVar[bool] = False


class InvalidInput(DistributedQueueError, ValueError):
    """The caller gave something that can never work. Nothing was changed."""

    code = "invalid-input"


class InvalidTask(InvalidInput):
    """A field of a task is malformed. ``field`` names it."""

    code = "invalid-task"

    def __init__(self, message: str, *, field: str = "payload") -> None:
        super().__init__(message)
        self.field = field


class PayloadTooLarge(InvalidTask):
    """The encoded payload is larger than the limit. Sizes in bytes."""

    code = "payload-too-large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"The payload is {size_bytes:,} bytes encoded; the limit is {limit_bytes:,}. "
            "Store large data elsewhere and pass a reference to it."
        )
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class InvalidArguments(InvalidTask, TypeError):
    """A task function cannot be called with these arguments. The message has its signature."""

    code = "invalid-arguments"

    def __init__(self, message: str) -> None:
        super().__init__(message, field="payload.data")


class InvalidQueueName(InvalidInput):
    """A queue name has letters, digits, ``.``, ``_`` and ``-`` only, 1 to 100 of them."""

    code = "invalid-queue-name"


class InvalidCursor(InvalidInput):
    """A pagination cursor that was not made by this storage for this listing."""

    code = "invalid-cursor"


class ConfigurationError(InvalidInput):
    """A setting or an option is wrong."""

    code = "configuration"


class InvalidStorageURL(ConfigurationError):
    """A storage URL cannot be understood. The message shows it without its password."""

    code = "invalid-storage-url"


class MissingDependency(ConfigurationError):
    """An optional package is needed for this and is not installed. ``extra`` names what to install."""

    code = "missing-dependency"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs a package that is not installed: pip install 'distributedq[{extra}]'")
        self.extra = extra


class QueueFull(DistributedQueueError):
    """The queue is at its limit; nothing was stored. Try again after ``retry_after`` seconds."""

    code = "queue-full"
    transient = True

    def __init__(self, queue: str, depth: int, limit: int, retry_after: float = 1.0) -> None:
        super().__init__(
            f"Queue {queue!r} is full: {depth:,} of {limit:,} tasks wait to run. Try again in {retry_after:g} s."
        )
        self.queue = queue
        self.depth = depth
        self.limit = limit
        self.retry_after = retry_after


class TaskNotFound(DistributedQueueError):
    """No task with this id is stored: it never was, or its retention is over."""

    code = "task-not-found"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"No task {task_id!r} is stored. Finished tasks are kept for a limited time only.")
        self.task_id = task_id


class WebhookNotFound(DistributedQueueError):
    """No webhook has this id."""

    code = "webhook-not-found"

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"There is no webhook {webhook_id!r:.80}.")
        self.webhook_id = webhook_id


class TaskConflict(DistributedQueueError):
    """What was asked for does not fit the task's state, or its id is taken by a different task."""

    code = "task-conflict"

    def __init__(self, task_id: str, message: str) -> None:
        super().__init__(message)
        self.task_id = task_id


class TaskFailed(DistributedQueueError):
    """A result was asked for, but the task ended ``dead``, ``cancelled`` or ``expired`` (``status``)."""

    code = "task-failed"

    def __init__(self, task_id: str, status: str, error: str | None) -> None:
        super().__init__(f"Task {task_id!r} is {status}" + (f": {error}" if error else "."))
        self.task_id = task_id
        self.status = status
        self.error = error


class ResultTimeout(DistributedQueueError, TimeoutError):
    """The task did not finish within the time given. It goes on all the same."""

    code = "result-timeout"
    transient = True

    def __init__(self, task_id: str, timeout: float) -> None:
        super().__init__(f"Task {task_id!r} did not finish within {timeout:g} s.")
        self.task_id = task_id
        self.timeout = timeout


class QueueClosed(DistributedQueueError):
    """The queue object was used after ``close()``."""

    code = "queue-closed"


class StorageError(DistributedQueueError):
    """The storage refused or failed."""

    code = "storage-error"


class StorageUnavailable(StorageError):
    """The storage cannot be reached. ``url`` has no password in it."""

    code = "storage-unavailable"
    transient = True

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"Cannot reach the storage at {url}: {cause}")
        self.url = url
        self.cause = cause


class NotReplicated(StorageError):
    """The step was done, but fewer replicas than were demanded have confirmed it in time.

    It may be lost if its primary is. Ask again with the same ids: what was done is not done twice, and it is answered
    once it is replicated.
    """

    code = "not-replicated"
    transient = True

    def __init__(self, url: str, confirmed: int, wanted: int) -> None:
        super().__init__(
            f"The storage at {url} has done it, but {confirmed} of its replicas confirmed that in time, where {wanted} "
            "had to. Try again, with the same ids."
        )
        self.url = url
        self.confirmed = confirmed
        self.wanted = wanted


class StorageFull(StorageError):
    """The storage has no space or memory left for a write. Nothing was changed; reads go on."""

    code = "storage-full"
    transient = True


class StorageIncompatible(StorageError):
    """The storage's version, layout or settings cannot be used as they are. The message says what to do."""

    code = "storage-incompatible"


class StorageRefused(StorageIncompatible):
    """The storage refuses the user or the password of its URL, or does not let this user do what is needed."""

    code = "storage-refused"


class HandlerError(DistributedQueueError):
    """Base of what can go wrong around a handler's run."""

    code = "handler-error"


class UnknownTaskType(HandlerError):
    """No handler is registered for the task's type."""

    code = "unknown-task-type"

    def __init__(self, task_type: str, known: list[str]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(f"No handler is registered for type {task_type!r}. Known types: {names}.")
        self.task_type = task_type
        self.known = known


class InvalidResult(HandlerError):
    """What the handler returned cannot be stored: it is not JSON-compatible, or too large."""

    code = "invalid-result"


class ProcessDied(HandlerError):
    """The child process that ran a handler ended before the handler did: it crashed, or took too much memory."""

    code = "process-died"


class TimeLimitExceeded(HandlerError):
    """Raised inside a handler that runs longer than its task's ``timeout``."""

    code = "time-limit-exceeded"

    def __init__(self, message: str = "The handler ran longer than its time limit.") -> None:
        super().__init__(message)


class TaskCancelled(HandlerError):
    """Raised inside a handler whose task was cancelled."""

    code = "task-cancelled"

    def __init__(self, message: str = "The task was cancelled while it ran.") -> None:
        super().__init__(message)


class LeaseLost(HandlerError):
    """Raised inside a handler whose lease ended: another worker may run the task now; the outcome is dropped."""

    code = "lease-lost"

    def __init__(self, message: str = "The lease on the task ended while its handler ran.") -> None:
        super().__init__(message)


class Verdict(HandlerError):
    """Raised by a handler to say what is to become of its task. The subclasses are what it may say."""

    code = "verdict"


class RetryLater(Verdict):
    """The attempt failed; try again after ``delay`` seconds, if retries are left."""

    code = "retry-later"

    def __init__(self, delay: float, message: str = "The handler asked for another try.") -> None:
        super().__init__(message)
        self.delay = _checked_delay(delay)


class Snooze(Verdict):
    """It is too soon; run again after ``delay`` seconds. It counts neither as a failure nor against the retries."""

    code = "snooze"

    def __init__(self, delay: float) -> None:
        super().__init__(f"The handler asked to run again in {delay:g} s.")
        self.delay = _checked_delay(delay)


class Discard(Verdict):
    """There is nothing to do any more: the task ends as ``cancelled``."""

    code = "discard"

    def __init__(self, message: str = "The handler discarded the task.") -> None:
        super().__init__(message)


class DeadLetter(Verdict):
    """No retry can help: the task becomes a dead letter at once, with ``reason`` (a few words) beside the error."""

    code = "dead-letter"

    def __init__(self, reason: str, message: str | None = None) -> None:
        super().__init__(message or reason)
        self.reason = reason[:100]


def _checked_delay(delay: float) -> float:
    if not 0 <= delay <= 366 * 24 * 3600:
        raise ValueError(f"A delay is a number of seconds from 0 to 366 days, not {delay!r}")
    return delay
