"""How the programs end: exit codes, and what a person is told about an error."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from distributed_queue import errors


class ExitCode(IntEnum):
    """What a program's exit code means. Scripts rely on these."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    UNREACHABLE = 3
    AUTH = 4
    NOT_FOUND = 5
    CONFLICT = 6
    TIMEOUT = 7
    TASK_FAILED = 8
    WORN_OUT = 9
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS = {
    ExitCode.OK: "done; for serve and worker: stopped gracefully",
    ExitCode.FAILURE: "it failed; the message says why",
    ExitCode.USAGE: "wrong usage, input or setting; nothing was changed",
    ExitCode.UNREACHABLE: "the storage cannot be reached",
    ExitCode.AUTH: "the storage refused the user or the password",
    ExitCode.NOT_FOUND: "no such task, queue, worker, key or webhook",
    ExitCode.CONFLICT: "the state of the task, or what goes on, forbids it",
    ExitCode.TIMEOUT: "waited in vain; the task goes on",
    ExitCode.TASK_FAILED: "waited for a task, and it failed",
    ExitCode.WORN_OUT: "worker: too many handlers were stuck; start another",
    ExitCode.INTERRUPTED: "interrupted with Ctrl-C; serve and worker: by a second one",
    ExitCode.TERMINATED: "serve and worker: ended at once by a second SIGTERM",
}


class NotFound(errors.DistributedQueueError):
    """No queue, worker or key of the name that was given."""

    code = "not-found"


class CannotListen(errors.DistributedQueueError):
    """The server's address cannot be had."""

    code = "cannot-listen"


class Conflict(errors.DistributedQueueError):
    """Something else that goes on stands in the way."""

    code = "conflict"


class Failure(NamedTuple):
    """An error as a person is told it."""

    code: ExitCode
    cause: str
    hint: str = ""


_CODES: tuple[tuple[type[errors.DistributedQueueError], ExitCode, str], ...] = (
    (errors.TaskNotFound, ExitCode.NOT_FOUND, "dq tasks list shows the tasks that are stored."),
    (errors.WebhookNotFound, ExitCode.NOT_FOUND, "dq webhooks list shows what there is."),
    (NotFound, ExitCode.NOT_FOUND, "dq queues list, dq workers list and dq keys list show what there is."),
    (errors.TaskConflict, ExitCode.CONFLICT, ""),
    (Conflict, ExitCode.CONFLICT, ""),
    (
        CannotListen,
        ExitCode.FAILURE,
        "Does another server run there? --port N takes another one, --port 0 any free one.",
    ),
    (errors.ResultTimeout, ExitCode.TIMEOUT, "Wait on with: dq tasks wait {task_id}"),
    (errors.TaskFailed, ExitCode.TASK_FAILED, "More about it with: dq tasks get {task_id}"),
    (
        errors.StorageUnavailable,
        ExitCode.UNREACHABLE,
        "Is it running, and the address right? --storage-url or DQ_STORAGE_URL names another.",
    ),
    (errors.StorageRefused, ExitCode.AUTH, "User and password are part of the storage URL."),
    (errors.QueueFull, ExitCode.FAILURE, "The limit is changed with: dq queues configure {queue} --max-size N"),
    (errors.StorageFull, ExitCode.FAILURE, "Make room; finished tasks go sooner with a shorter retention."),
    (errors.InvalidStorageURL, ExitCode.USAGE, "--storage-url or DQ_STORAGE_URL names the storage."),
    (errors.InvalidInput, ExitCode.USAGE, ""),
)


def explain(error: Exception) -> Failure:
    """The exit code, the cause in one line and a hint for an error."""
    if not isinstance(error, errors.DistributedQueueError):
        return Failure(ExitCode.FAILURE, f"{type(error).__name__}: {error}", "--debug shows where it comes from.")
    for kind, code, hint in _CODES:
        if isinstance(error, kind):
            return Failure(code, str(error), hint.format_map(vars(error)))
    return Failure(ExitCode.FAILURE, str(error))
