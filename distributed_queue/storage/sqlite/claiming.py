"""Taking work: the sweep that opens each claim, then the ready tasks as far as the limits allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core import counters
from distributed_queue.core.clock import ceil_ms
from distributed_queue.core.history import AttemptOutcome
from distributed_queue.core.lifecycle import Event
from distributed_queue.core.records import MAX_COUNT
from distributed_queue.core.storage import SWEEP_LIMIT, Change, Claim, ClaimedTask
from distributed_queue.storage.sqlite.retention import trim
from distributed_queue.storage.sqlite.rows import CANCELLED, DEAD, PENDING, PROCESSING, SECOND_MS, seconds
from distributed_queue.storage.sqlite.statements import sql
from distributed_queue.storage.sqlite.step import as_json
from distributed_queue.storage.sqlite.transitions import expire, finish, make_ready

if TYPE_CHECKING:
    from distributed_queue.core.storage import ClaimRequest
    from distributed_queue.storage.sqlite.queue import Queue
    from distributed_queue.storage.sqlite.rows import TaskRow
    from distributed_queue.storage.sqlite.step import Step

SWEEP_LEASES = sql("sweep_leases")
SWEEP_EXPIRING = sql("sweep_expiring")
SWEEP_DUE = sql("sweep_due")
READY = sql("claim_ready")
START = sql("claim_start")

_CLAIMED = Event.CLAIMED.value
_CRASHED = "crashed"


def claim(step: Step, request: ClaimRequest) -> Claim:
    """Sweep each queue and take from it what the earlier ones left to be taken."""
    claimed: list[ClaimedTask] = []
    foreseen: list[float] = []
    for name in request.queues:
        queue = step.queue(name)
        _sweep(step, queue)
        claimed += _take(step, queue, request, request.limit - len(claimed))
        due_ms = queue.next_due_ms(step.now_ms, step.horizon(queue))
        if due_ms is not None:
            foreseen.append(due_ms)
    return Claim(claimed, min(foreseen) / SECOND_MS if foreseen else None)


def _sweep(step: Step, queue: Queue) -> None:
    """Take back lost leases, expire, promote, trim. See ``Storage.exchange``."""
    now_ms = step.now_ms
    horizon = step.horizon(queue)
    lost = horizon.lease is not None and horizon.lease <= now_ms
    if lost:
        for row in step.select(SWEEP_LEASES, queue.key, now_ms, SWEEP_LIMIT):
            _lease_ran_out(step, queue, row)
    # What has just been taken back may have expired meanwhile.
    if lost or (horizon.expiring is not None and horizon.expiring <= now_ms):
        for row in step.select(SWEEP_EXPIRING, queue.key, now_ms, SWEEP_LIMIT):
            expire(step, queue, row)
    if horizon.due is not None and horizon.due <= now_ms:
        for row in step.select(SWEEP_DUE, queue.key, now_ms, SWEEP_LIMIT):
            queue.record(Event.DUE, row)
            make_ready(step, queue, row, row.at_ms)
    trim(step, queue)


def _lease_ran_out(step: Step, queue: Queue, row: TaskRow) -> None:
    row.crashes += 1
    step.keep_attempt(row, AttemptOutcome.CRASHED)
    queue.record(Event.LEASE_EXPIRED, row)
    queue.count(counters.LOST, row.type)
    if row.cancel_requested:
        queue.record(Event.CANCELLED, row)
        finish(step, queue, row, CANCELLED)
    elif row.crashes >= queue.config.max_crashes:
        row.reason = _CRASHED
        queue.count(counters.POISONED, row.type)
        queue.record(Event.DEAD, row, _CRASHED)
        finish(step, queue, row, DEAD)
    else:
        make_ready(step, queue, row, step.now_ms, keep_place=True)


def _take(step: Step, queue: Queue, request: ClaimRequest, wanted: int) -> list[ClaimedTask]:
    """Claim ready tasks in order, as far as the limits allow; those that have expired end on the way."""
    allowed = queue.rate_decision(step.now_ms, queue.room(wanted)).allowed
    taken: list[ClaimedTask] = []
    while len(taken) < allowed:
        step.flush()
        found = step.read(READY, queue.key, allowed - len(taken))
        if not found:
            break
        taken += _start(step, queue, request, found)
    if taken:
        queue.tat_ms = queue.rate_decision(step.now_ms, len(taken)).tat_ms
    return taken


def _start(step: Step, queue: Queue, request: ClaimRequest, found: list[tuple[Any, ...]]) -> list[ClaimedTask]:
    """Open leases on the rows of ``claim_ready.sql``, except for those that have expired."""
    now_ms, worker_id = step.now_ms, request.worker_id
    started: list[ClaimedTask] = []
    keys: list[int] = []
    late = {row[1] for row in found if row[8] is not None and row[8] <= now_ms}
    expired = step.tasks(queue, late) if late else {}
    for key, task_id, task_type, priority, attempt, failures, crashes, created_ms, expires_ms, ready_ms, body in found:
        if task_id in expired:
            expire(step, queue, expired[task_id])
            continue
        if attempt >= MAX_COUNT:
            raise OverflowError  # Nothing of ours counts so far: see ``mending``.
        keys.append(key)
        started.append(
            ClaimedTask(
                queue.name,
                task_id,
                attempt + 1,
                priority,
                body or b"",
                failures,
                crashes,
                created_ms / SECOND_MS,
                now_ms / SECOND_MS,
                seconds(expires_ms),
            )
        )
        queue.changes.append(Change(_CLAIMED, task_id, attempt + 1, worker_id))
        queue.count(counters.STARTED, task_type)
        queue.observe(counters.WAIT, task_type, now_ms - ready_ms)
    step.write(START, now_ms + ceil_ms(request.lease_seconds), now_ms, worker_id, as_json(keys))
    queue.counts[PENDING] -= len(keys)
    queue.counts[PROCESSING] += len(keys)
    return started
