"""How far the journals have been read, kept in the storage: whoever dispatches next goes on from there.

A position is the body of a task that is due at the end of time, in a queue that no worker takes from. Positions may be
written late, or go back where two dispatchers write: what is read again makes the same deliveries, which are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core.payload import Policies, encode_body, shown_body
from distributed_queue.core.storage import NewTask, TaskUpdate
from distributed_queue.core.times import MAX_EPOCH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import Storage

POSITIONS = "dq.webhooks.positions"
"""The queue."""
_TYPE = "position"
_NEVER = MAX_EPOCH_SECONDS - 1


class Positions:
    """One number for each queue."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def prepare(self) -> None:
        """Make the queue; nobody follows what happens in it."""
        self._storage.configure(POSITIONS, {"journal": False})

    def read(self, queues: Sequence[str]) -> dict[str, int]:
        """The positions of queues; 0 where none is kept."""
        found = self._storage.get(queues, POSITIONS)
        return {
            queue: 0 if stored is None else _number(shown_body(stored.body)[0])
            for queue, stored in zip(queues, found, strict=True)
        }

    def write(self, queue: str, position: int) -> None:
        """Keep the position of a queue."""
        body = encode_body({"type": _TYPE, "position": position}, Policies())
        if not self._storage.update(POSITIONS, queue, TaskUpdate(body=body)):
            # It is new, or someone cancelled it.
            self._storage.delete(POSITIONS, [queue])
            self._storage.enqueue([NewTask(queue, POSITIONS, _TYPE, 100, body, execute_after=_NEVER)])


def _number(payload: Any) -> int:
    number = payload.get("position") if isinstance(payload, dict) else None
    return number if isinstance(number, int) and number >= 0 else 0
