"""Messages about events: what they say, and who gets them. Pure: values in, values out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from distributed_queue.core.lifecycle import Event
from distributed_queue.core.retry import RetryPolicy
from distributed_queue.core.task import Task, to_new_task
from distributed_queue.core.times import iso
from distributed_queue.errors import PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from distributed_queue.core.storage import Change, JournalEntry, NewTask
    from distributed_queue.webhooks.endpoints import Endpoint

DELIVERIES = "dq.webhooks"
"""The queue of deliveries."""
DELIVERY = "webhook"
"""Their type."""
RETRY = RetryPolicy(base=5.0, factor=3.0, cap=6 * 3600.0, jitter=0.3)
MAX_RETRIES = 12
"""With those delays, the last try is about a day after the first."""

_OF_QUEUES = (Event.CLEARED, Event.PAUSED, Event.RESUMED, Event.CONFIGURED)
EVENTS = tuple(
    f"queue.{event}" if event in _OF_QUEUES else f"task.{event}" for event in sorted(Event, key=lambda each: each.value)
)
"""The names that events have for endpoints."""


class Message(NamedTuple):
    """One event for one endpoint."""

    endpoint: Endpoint
    queue: str
    entry: JournalEntry
    place: int
    """Which of the entry's changes it is about."""

    @property
    def change(self) -> Change:
        """What happened."""
        return self.entry.changes[self.place]

    @property
    def id(self) -> str:
        """The same for the same event and endpoint whoever makes it, so that nobody makes it twice.

        The time is in it: a journal that was started anew counts from 1 again.
        """
        at_ms = round(self.entry.at * 1000)
        named = f"{self.endpoint.id}/{self.queue}/{self.entry.position}/{self.place}/{at_ms}"
        return "msg_" + hashlib.sha256(named.encode()).hexdigest()[:32]


def messages_of(queue: str, entries: Sequence[JournalEntry], endpoints: Sequence[Endpoint]) -> list[Message]:
    """The messages that entries of a queue's journal may make; whether a task's type is chosen is yet to be seen."""
    return [
        Message(endpoint, queue, entry, place)
        for entry in entries
        for place, change in enumerate(entry.changes)
        for endpoint in endpoints
        if endpoint.chooses(queue, event_name(change), entry.at)
    ]


def event_name(change: Change) -> str:
    """As the event streams name it."""
    return f"task.{change.event}" if change.task_id else f"queue.{change.event}"


def deliveries(messages: Iterable[Message], tasks: Mapping[str, Task], limit_bytes: int) -> list[NewTask]:
    """The tasks that deliver messages. ``tasks`` has those that they are about, as far as they are known."""
    return [
        _delivery(message, tasks.get(message.change.task_id), limit_bytes)
        for message in messages
        if message.endpoint.chooses_type(_type_of(tasks.get(message.change.task_id)))
    ]


def _delivery(message: Message, task: Task | None, limit_bytes: int) -> NewTask:
    with_task = message.endpoint.payload and task is not None
    document = _document(message, task, full=with_task)
    try:
        return _new_task(message, document, limit_bytes)
    except PayloadTooLarge:
        return _new_task(message, _document(message, task, full=False), limit_bytes)


def _new_task(message: Message, document: dict[str, Any], limit_bytes: int) -> NewTask:
    # The very bytes are kept, so that each try sends the same.
    body = msgspec.json.encode(document).decode()
    payload = {"type": DELIVERY, "data": {"endpoint": message.endpoint.id, "body": body}}
    return to_new_task(
        Task(100, payload, task_id=message.id, queue=DELIVERIES, retry=RETRY, max_retries=MAX_RETRIES), limit_bytes
    )


def _document(message: Message, task: Task | None, *, full: bool) -> dict[str, Any]:
    change, entry = message.change, message.entry
    data: dict[str, Any] = {
        "queue": message.queue,
        "position": entry.position,
        "at": iso(entry.at),
        "event": event_name(change),
        "task_id": change.task_id or None,
        "attempt": change.attempt or None,
        "detail": change.detail or None,
        "type": _type_of(task),
    }
    if full and task is not None:
        data["payload"], data["result"], data["error"] = task.payload, task.result, task.error
    return {"id": message.id, "type": data["event"], "timestamp": data["at"], "data": data}


def _type_of(task: Task | None) -> str | None:
    return None if task is None else task.type


def trial_document(now: float) -> bytes:
    """A message that tells of nothing."""
    return msgspec.json.encode({"type": "webhook.test", "timestamp": iso(now), "data": {}})
