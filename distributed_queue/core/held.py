"""The leases that ``HybridQueue.get`` opened in this process, and how they are settled."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from distributed_queue.core.notes import Note, encode_note
from distributed_queue.core.payload import UNREADABLE, encode_result
from distributed_queue.core.retry import DEFAULT_RETRY, next_delay
from distributed_queue.core.storage import Lease, LeaseState, Outcome, Settlement, Storage
from distributed_queue.core.task import Failure, Task, encode_failure, from_claimed
from distributed_queue.errors import InvalidTask

if TYPE_CHECKING:
    from distributed_queue.core.storage import ClaimedTask


class _Held(NamedTuple):
    lease: Lease
    task: Task
    worker_id: str

    def settlement(self, outcome: Outcome, **details: Any) -> Settlement:
        lease = self.lease
        return Settlement(lease.queue, lease.id, lease.attempt, outcome, **details)


class HeldLeases:
    """Tasks that were taken and not settled yet, by id. Each verb is False where this process holds no such lease."""

    def __init__(self, storage: Storage, result_limit_bytes: int) -> None:
        self._storage = storage
        self._result_limit_bytes = result_limit_bytes
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def take(self, claimed: ClaimedTask, worker_id: str) -> Task | None:
        """The task of a fresh lease; None where its body cannot be read, and then it is a dead letter."""
        try:
            task = from_claimed(claimed)
        except InvalidTask as error:
            failure = encode_failure(Failure.of(error, claimed.attempt))
            settlement = Settlement(
                claimed.queue,
                claimed.id,
                claimed.attempt,
                Outcome.BURY,
                error=failure,
                reason=UNREADABLE,
                note=encode_note(Note.of(None, error)),
            )
            self._storage.settle([settlement])
            return None
        task.worker_id = worker_id
        lease = Lease(claimed.queue, claimed.id, claimed.attempt)
        with self._lock:
            self._held[claimed.id] = _Held(lease, task, worker_id)
        return task

    def complete(self, task_id: str, worker_id: str | None, result: Any) -> bool:
        """Report success. Raises ``InvalidResult``."""
        encoded = None if result is None else encode_result(result, self._result_limit_bytes)
        return self._settle(task_id, worker_id, Outcome.COMPLETE, result=encoded)

    def fail(self, task_id: str, worker_id: str | None, error: BaseException | str) -> bool:
        """Report failure; the task's retry policy decides what follows."""
        held = self._held.get(task_id)
        if held is None:
            return False
        task = held.task
        details = {
            "error": encode_failure(Failure.of(error, task.attempt)),
            "note": encode_note(Note.of(None, error)),
        }
        delay = next_delay(task.retry or DEFAULT_RETRY, task.retry_count + 1, task.max_retries)
        if delay is None:
            return self._settle(task_id, worker_id, Outcome.BURY, **details)
        return self._settle(task_id, worker_id, Outcome.RETRY, delay=delay, **details)

    def release(self, task_id: str, worker_id: str | None) -> bool:
        """Give a task back."""
        return self._settle(task_id, worker_id, Outcome.RELEASE)

    def extend(self, task_id: str, seconds: float) -> bool:
        """Let a lease end ``seconds`` from now."""
        held = self._held.get(task_id)
        if held is None:
            return False
        if self._storage.extend([held.lease], seconds)[0] is LeaseState.LOST:
            self._drop(held)
            return False
        return True

    def release_all(self) -> None:
        """Give everything back."""
        with self._lock:
            every = list(self._held.values())
            self._held.clear()
        if every:
            self._storage.settle([held.settlement(Outcome.RELEASE) for held in every])

    def _settle(self, task_id: str, worker_id: str | None, outcome: Outcome, **details: Any) -> bool:
        held = self._held.get(task_id)
        if held is None or (worker_id is not None and worker_id != held.worker_id):
            return False
        counted = self._storage.settle([held.settlement(outcome, **details)])[0]
        # Only now: if the storage could not be reached, the caller may try again.
        self._drop(held)
        return counted

    def _drop(self, held: _Held) -> None:
        with self._lock:
            if self._held.get(held.lease.id) is held:
                del self._held[held.lease.id]
