"""A whole system in one thread: clients, workers and an operator on a real storage, with a clock that is moved.

Everything that happens is drawn from one seed: who acts, what fails, which worker dies or stalls for longer than its
lease, which answers get lost. The storage is a real engine; only time and the network are ours. So thousands of faults
take seconds, and every run can be repeated.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import (
    ClaimedTask,
    ClaimRequest,
    Lease,
    LeaseState,
    NewTask,
    Outcome,
    Settlement,
    Storage,
    TaskFilter,
    TaskUpdate,
)
from distributed_queue.errors import QueueFull, StorageUnavailable
from distributed_queue.testing.proof.checker import Report, check_records
from distributed_queue.testing.proof.lossy import LossyStorage
from distributed_queue.testing.proof.recording import RecordingStorage
from distributed_queue.testing.proof.records import Effect, Fault, Record, Settings

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock

LEASE_SECONDS = 10.0
_LIMITED: dict[str, float] = {"concurrency": 6, "rate_limit": 20.0, "rate_burst": 8, "max_size": 60, "max_crashes": 3}
_OPEN: dict[str, float] = {"max_crashes": 3}
QUEUES: dict[str, dict[str, float]] = {"limited": _LIMITED, "open": _OPEN}
"""One queue with every limit, and one without."""
_DRAIN_STEPS = 4000


class MemoryHistory:
    """A history that is kept in a list."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, *records: Record) -> None:
        """Append records."""
        self.records.extend(records)


@dataclass
class _Worker:
    """A worker: what it is to start, what it runs, and until when it does not react."""

    name: str
    waiting: list[tuple[ClaimedTask, float]] = field(default_factory=list)
    """With the end of the lease, by the worker's own reckoning."""
    held: list[ClaimedTask] = field(default_factory=list)
    stalled_until: float = 0.0


class Simulation:
    """One run. ``storage`` is empty and uses ``clock``."""

    def __init__(self, storage: Storage, clock: ManualClock, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - to be repeatable is the point
        self._storage = storage
        self._clock = clock
        self.history = MemoryHistory()
        self._lossy = LossyStorage(storage, self._chance, before=0.02, after=0.03)
        self._client = self._recording("client")
        self._operator = RecordingStorage(storage, self.history, "operator", clock.now)
        self._workers = [_Worker(f"worker-{number}") for number in range(4)]
        self._storages = {worker.name: self._recording(worker.name) for worker in self._workers}
        self._unanswered: list[list[NewTask]] = []
        self._names = 0
        self.faults = 0

    def run(self, steps: int) -> Report:
        """Act ``steps`` times, heal, let the queues run empty, and judge. Deterministic for an engine and a seed."""
        for queue, settings in QUEUES.items():
            whole = {name: value if name == "rate_limit" else int(value) for name, value in settings.items()}
            self._storage.configure(queue, dict(whole))
            self.history.write(Settings(queue=queue, controls_recorded=True, **whole))  # type: ignore[arg-type]
        actions = [
            (self._submit, 22),
            (self._work, 36),
            (self._advance, 18),
            (self._extend, 10),
            (self._kill, 3),
            (self._stall, 3),
            (self._operate, 8),
        ]
        chosen = self._chance.choices([act for act, _ in actions], [weight for _, weight in actions], k=steps)
        for act in chosen:
            try:
                act()
            except StorageUnavailable:
                self.faults += 1
        self._drain()
        for queue in QUEUES:
            self._client.dump(queue, drained=True)
        # An idle system's clock jumps here, so lateness says nothing.
        return check_records(self.history.records, recovery_seconds=float("inf"), grace_seconds=0.0, handlers_stop=True)

    # Actors

    def _submit(self) -> None:
        chance = self._chance
        if self._unanswered and chance.random() < 0.5:
            batch = self._again(self._unanswered.pop())
        elif chance.random() < 0.1 and self._names:
            batch = [self._task(chance.choice(list(QUEUES)), f"t{chance.randrange(self._names)}")]
            if self._storage.get([batch[0].id], batch[0].queue)[0] is None:
                return
        else:
            queue = chance.choice(list(QUEUES))
            first = self._names
            self._names += chance.randrange(1, 12)
            batch = [self._task(queue, f"t{number}") for number in range(first, self._names)]
        try:
            self._client.enqueue(batch)
        except QueueFull:
            return
        except StorageUnavailable:
            self._unanswered.append(batch)
            raise

    def _again(self, batch: list[NewTask]) -> list[NewTask]:
        """What to submit where no answer came: the same."""
        return batch

    def _task(self, queue: str, task_id: str) -> NewTask:
        chance, now = self._chance, self._clock.now()
        return NewTask(
            id=task_id,
            queue=queue,
            type="x",
            priority=chance.choice([0, 5, 5, 5, 9]),
            body=task_id.encode(),
            delay=chance.choice([None, None, None, 0.5, 3.0]),
            execute_after=chance.choice([None, None, None, round(now + 2.0, 3)]),
            expires_at=chance.choice([None] * 6 + [round(now + 5.0, 3)]),
        )

    def _work(self) -> None:
        chance = self._chance
        worker = chance.choice(self._workers)
        if worker.stalled_until > self._clock.now():
            return
        self._start_waiting(worker)
        done = [task for task in worker.held if chance.random() < 0.6]
        self._end_runs(worker, done)
        settlements = [self._outcome(task) for task in done]
        queues = tuple(chance.sample(list(QUEUES), 2))
        request = ClaimRequest(queues, worker.name, chance.randrange(6), LEASE_SECONDS)
        lease_end = self._clock.now() + LEASE_SECONDS
        answer = self._storages[worker.name].exchange(settlements, request if chance.random() < 0.9 else None)
        # Only now: a worker reports again what it got no answer to.
        worker.held = [task for task in worker.held if task not in done]
        worker.waiting += [(task, lease_end) for task in answer.claim.tasks]
        if chance.random() < 0.7:
            self._start_waiting(worker)

    def _start_waiting(self, worker: _Worker) -> None:
        """Start what was claimed, except where so much time has passed that the lease may be over."""
        waiting, worker.waiting = worker.waiting, []
        for task, lease_end in waiting:
            if self._still_leased(lease_end):
                self._start(worker, task)

    def _still_leased(self, lease_end: float) -> bool:
        return self._clock.now() < lease_end

    def _start(self, worker: _Worker, task: ClaimedTask) -> None:
        worker.held.append(task)
        self._effect(worker, task, "start")

    def _end_runs(self, worker: _Worker, tasks: list[ClaimedTask]) -> None:
        for task in tasks:
            self._effect(worker, task, "end")

    def _effect(self, worker: _Worker, task: ClaimedTask, step: Literal["start", "end"]) -> None:
        self.history.write(
            Effect(
                process=worker.name, queue=task.queue, id=task.id, attempt=task.attempt, step=step, at=self._clock.now()
            )
        )

    def _outcome(self, task: ClaimedTask) -> Settlement:
        # Drawn from the attempt, not from the run: reporting again reports the same.
        chance = random.Random(f"{task.queue}/{task.id}/{task.attempt}")  # noqa: S311
        outcome = chance.choice([Outcome.COMPLETE] * 8 + [Outcome.RETRY, Outcome.RELEASE, Outcome.SNOOZE, Outcome.BURY])
        result = f"{task.id}:{task.attempt}".encode() if outcome is Outcome.COMPLETE else None
        return Settlement(
            task.queue, task.id, task.attempt, outcome, result=result, delay=chance.choice([0.25, 1.0, 4.0])
        )

    def _extend(self) -> None:
        worker = self._chance.choice(self._workers)
        if not worker.held or worker.stalled_until > self._clock.now():
            return
        leases = [Lease(task.queue, task.id, task.attempt) for task in worker.held]
        states = self._storages[worker.name].extend(leases, LEASE_SECONDS)
        self._heed(worker, states)

    def _heed(self, worker: _Worker, states: list[LeaseState]) -> None:
        """Stop what is no longer ours."""
        worker.held = [task for task, state in zip(worker.held, states, strict=True) if state is not LeaseState.LOST]

    def _kill(self) -> None:
        worker = self._chance.choice(self._workers)
        worker.held.clear()
        worker.waiting.clear()
        self._fault("kill", worker.name, 0.0)

    def _stall(self) -> None:
        """A worker stops for about a lease, and goes on as if nothing had happened."""
        worker = self._chance.choice(self._workers)
        seconds = self._chance.uniform(0.3, 2.0) * LEASE_SECONDS
        worker.stalled_until = self._clock.now() + seconds
        self._fault("stall", worker.name, seconds)

    def _operate(self) -> None:
        chance, storage = self._chance, self._operator
        queue = chance.choice(list(QUEUES))
        act = chance.randrange(7)
        some = f"t{chance.randrange(self._names + 1)}"
        if act == 0:
            running = [task for worker in self._workers for task in worker.held]
            task = chance.choice(running) if running else None
            storage.cancel(task.queue if task else queue, [task.id if task else some])
        elif act == 1:
            dead = storage.find(TaskFilter(queue=queue, status=TaskStatus.DEAD), None, 5)
            storage.requeue(queue, [task.id for task in dead.tasks])
        elif act == 2:
            storage.pause(queue)
        elif act == 3:
            storage.cancel(queue, [some])
        elif act == 4:
            storage.update(queue, some, TaskUpdate(priority=chance.randrange(10)))
        else:
            storage.resume(queue)

    def _advance(self) -> None:
        self._clock.advance(self._chance.choice([0.001, 0.05, 0.25, 0.5, 1.0, 2.0]))

    def _fault(self, fault: str, target: str, seconds: float) -> None:
        self.faults += 1
        now = self._clock.now()
        self.history.write(Fault(fault=fault, target=target, begin=now, end=now + seconds, between_steps=True))

    # The end

    def _drain(self) -> None:
        """Heal everything, and work until nothing is left, in bounded time."""
        self._lossy.before = self._lossy.after = 0.0
        for queue in QUEUES:
            self._storage.resume(queue)
        self._finish_stalled()
        worker = self._workers[0]
        storage = self._storages[worker.name]
        for _ in range(_DRAIN_STEPS):
            claim = storage.claim(ClaimRequest(tuple(QUEUES), worker.name, 50, LEASE_SECONDS))
            for task in claim.tasks:
                self._start(worker, task)
            worker.held.clear()
            if claim.tasks:
                storage.settle(
                    [
                        Settlement(task.queue, task.id, task.attempt, Outcome.COMPLETE, result=b"drained")
                        for task in claim.tasks
                    ]
                )
            elif claim.next_due is None and not self._left():
                return
            self._clock.advance(0.25)

    def _finish_stalled(self) -> None:
        """Workers that still hold tasks report them: those whose leases are over have to be refused."""
        for worker in self._workers:
            self._start_waiting(worker)
            held, worker.held = worker.held, []
            if held:
                self._storages[worker.name].settle([self._outcome(task) for task in held])

    def _left(self) -> int:
        return sum(stats.depth + stats.counts[TaskStatus.PROCESSING] for stats in self._storage.stats(list(QUEUES)))

    def _recording(self, process: str) -> RecordingStorage:
        return RecordingStorage(
            cast("Storage", self._lossy), self.history, process, self._clock.now, lambda task: task.body.decode()
        )


def simulate(storage: Storage, clock: ManualClock, seed: int, steps: int = 600) -> Report:
    """Run one simulation."""
    return Simulation(storage, clock, seed).run(steps)
