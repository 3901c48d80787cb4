"""Records of the library as the documents that clients get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from distributed_queue.core.times import iso

if TYPE_CHECKING:
    from distributed_queue.core.notes import AttemptRecord
    from distributed_queue.core.storage import QueueStats
    from distributed_queue.core.task import Task
    from distributed_queue.webhooks import Endpoint

__all__ = ["attempt_document", "iso", "iso_or_none", "queue_document", "task_document", "webhook_document"]


def iso_or_none(seconds: float | None) -> str | None:
    """As ``iso``, where there may be no time."""
    return None if seconds is None else iso(seconds)


def task_document(task: Task, *, traceback: bool = False, history: bool = False) -> dict[str, Any]:
    """The fields of ``models.TaskOut``. Listings do not have the history."""
    document: dict[str, Any] = {
        "task_id": task.task_id,
        "queue": task.queue,
        "type": task.type,
        "status": task.status.value,
        "priority": task.priority,
        "payload": task.payload,
        "attempts": task.attempt,
        "retry_count": task.retry_count,
        "crashes": task.crashes,
        "max_retries": task.max_retries,
        "retry": None if task.retry is None else msgspec.structs.asdict(task.retry),
        "timeout": task.timeout,
        "execute_after": iso_or_none(task.execute_after),
        "expires_at": iso_or_none(task.expires_at),
        "created_at": iso_or_none(task.created_at),
        "started_at": iso_or_none(task.started_at),
        "finished_at": iso_or_none(task.finished_at),
        "worker_id": task.worker_id,
        "result": task.result,
        "error": task.error,
        "reason": task.reason,
        "progress": task.progress,
        "cancel_requested": task.cancel_requested,
    }
    if traceback:
        document["traceback"] = task.traceback
    if history:
        document["history"] = [attempt_document(each, traceback=traceback) for each in task.history]
    return document


def attempt_document(attempt: AttemptRecord, *, traceback: bool = False) -> dict[str, Any]:
    """The fields of ``models.AttemptOut``."""
    document: dict[str, Any] = {
        "attempt": attempt.attempt,
        "outcome": attempt.outcome.value,
        "started_at": iso(attempt.started_at),
        "ended_at": iso_or_none(attempt.ended_at),
        "duration_seconds": attempt.duration,
        "worker_id": attempt.worker_id,
        "error_type": attempt.error_type,
        "error": attempt.error,
        "log": [{"at": iso(line.at), "level": line.level, "message": line.message} for line in attempt.log],
        "log_dropped": attempt.log_dropped,
    }
    if traceback:
        document["traceback"] = attempt.traceback
    return document


def queue_document(stats: QueueStats) -> dict[str, Any]:
    """The fields of ``models.QueueOut``."""
    settings = msgspec.structs.asdict(stats.config)
    return {
        "name": stats.queue,
        "size": stats.depth,
        "paused": settings.pop("paused"),
        "oldest_ready_age_seconds": stats.oldest_ready_age,
        "counts": {state.value: count for state, count in stats.counts.items()},
        "settings": settings,
    }


def webhook_document(endpoint: Endpoint) -> dict[str, Any]:
    """The fields of ``models.WebhookOut``: all but its secrets."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "queues": list(endpoint.queues),
        "types": list(endpoint.types),
        "payload": endpoint.payload,
        "enabled": endpoint.enabled,
        "disabled_at": iso_or_none(endpoint.disabled_at),
        "disabled_because": endpoint.disabled_because or None,
        "created_at": iso(endpoint.created_at),
    }
