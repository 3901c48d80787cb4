"""An engine and the memory engine side by side: every verb, in any order, must give the same.

``check_against_memory`` is the entry point. A test calls it with a function that opens an empty storage on a clock::

    def test_my_engine_does_as_memory_does(tmp_path):
        check_against_memory(lambda clock: MyStorage.from_url(f"my://{tmp_path}/{uuid4()}", clock))
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from distributed_queue.core.clock import Clock
from distributed_queue.core.lifecycle import REQUEUABLE, TaskStatus
from distributed_queue.core.storage import (
    ClaimedTask,
    ClaimRequest,
    Command,
    Exchange,
    Lease,
    NewTask,
    Outcome,
    Settlement,
    Storage,
    TaskFilter,
    TaskUpdate,
    WorkerInfo,
)
from distributed_queue.testing import strategies as some
from distributed_queue.testing.lockstep import Lockstep
from distributed_queue.testing.steps import listed

OpenEmpty = Callable[[Clock], Storage]
End = tuple[Outcome, "bytes | None", "bytes | None", float, "str | None", "bytes | None"]
Timed = TypeVar("Timed", NewTask, TaskUpdate)

EXAMPLES = 200
STEPS = 50


def check_against_memory(open_empty: OpenEmpty, examples: int = EXAMPLES, steps: int = STEPS) -> None:
    """Run an engine through ``examples`` random lives of ``steps`` steps each; fails with the shortest that differs."""
    run_state_machine_as_test(
        machine_for(open_empty),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def machine_for(open_empty: OpenEmpty) -> type[DifferentialMachine]:
    """The machine of one engine."""

    class BoundMachine(DifferentialMachine):
        """Of this engine."""

        def open_empty(self, clock: Clock) -> Storage:
            return open_empty(clock)

    return BoundMachine


class DifferentialMachine(RuleBasedStateMachine):
    """Calls each verb on both, and compares answers after each step and everything stored at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Lockstep(self.open_empty)
        self.given: list[Lease] = []
        """All leases so far; the last are the latest."""
        self.untold: set[str] = set()
        """Queues whose journal was off for a while."""

    def open_empty(self, clock: Clock) -> Storage:
        """The engine, with nothing stored in it."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Compare all that is stored, then close."""
        try:
            if not self.pair.differed:
                self.pair.compare_everything()
                for queue in set(some.QUEUES) - self.untold:
                    self.pair.check_story(queue)
        finally:
            self.pair.close()

    @invariant()
    def figures_are_the_same(self) -> None:
        self.pair.both("stats")

    # Work: about half of the rules, since nothing comes of the others without it.

    @initialize(tasks=some.ready_tasks)
    def begin(self, tasks: list[NewTask]) -> None:
        # Whether a verb that finds nothing makes a queue is the engine's business; here they are all made.
        for queue in some.QUEUES:
            self.pair.both("configure", queue, {})
        self.enqueue(tasks)

    @rule(tasks=some.ready_tasks)
    def enqueue_ready(self, tasks: list[NewTask]) -> None:
        self.enqueue(tasks)

    @rule(tasks=some.timed_tasks)
    def enqueue_timed(self, tasks: list[NewTask]) -> None:
        self.enqueue(tasks)

    @rule(queues=some.some_queues, worker=some.workers, limit=some.limits, lease_seconds=some.lease_seconds)
    def claim(self, queues: tuple[str, ...], worker: str, limit: int, lease_seconds: float) -> None:
        named = self.pair.engine.wait(queues, 0)
        answer = self.exchange([], ClaimRequest(queues, worker, limit, lease_seconds))
        unnamed = {task.queue for task in answer.claim.tasks} - set(named)
        if unnamed:
            raise self.pair.difference(f"wait({queues}, 0) named {named}, and then {unnamed} had work")

    @rule(queues=some.some_queues, limit=st.integers(1, 4), ends=some.many_ends)
    def work_together(self, queues: tuple[str, ...], limit: int, ends: list[End]) -> None:
        """Claim some and settle them in one call; what is left over runs on."""
        answer = self.exchange([], ClaimRequest(queues, "w1", limit, 30.0))
        self.settle([_settlement(task, end) for task, end in zip(answer.claim.tasks, ends, strict=False)])

    @rule(queues=some.some_queues, ends=some.many_ends, lease_seconds=some.lease_seconds)
    def work_one_by_one(self, queues: tuple[str, ...], ends: list[End], lease_seconds: float) -> None:
        """Settle each and claim the next in one exchange, as a busy worker does; the last runs on."""
        settlements: list[Settlement] = []
        for end in ends:
            answer = self.exchange(settlements, ClaimRequest(queues, "w1", 1, lease_seconds))
            settlements = [_settlement(task, end) for task in answer.claim.tasks]

    @rule(picked=some.picked_ends)
    def settle_what_runs(self, picked: list[tuple[int, End]]) -> None:
        self.settle([_settlement(self.running(pick), end) for pick, end in picked])

    @rule(picked=some.picked_ends, queues=some.some_queues, limit=some.limits, lease_seconds=some.lease_seconds)
    def settle_and_claim(
        self, picked: list[tuple[int, End]], queues: tuple[str, ...], limit: int, lease_seconds: float
    ) -> None:
        settlements = [_settlement(self.running(pick), end) for pick, end in picked]
        self.exchange(settlements, ClaimRequest(queues, "w2", limit, lease_seconds))

    @rule(picked=some.picked_ends, invention=some.inventions)
    def settle_what_is_over(self, picked: list[tuple[int, End]], invention: tuple[str, str, int]) -> None:
        settlements = [_settlement(self.overtaken(pick), end) for pick, end in picked]
        self.settle([*settlements, _settlement(Lease(*invention), picked[0][1])])

    @rule(picked=some.picked_ends)
    def settle_what_has_ended(self, picked: list[tuple[int, End]]) -> None:
        """With the outcome that it had, which is a replay, or with another one, which is not."""
        self.settle([_settlement(self.ended(pick), end) for pick, end in picked])

    @rule(picks=some.many_picks, over=some.picks, invention=some.inventions, lease_seconds=some.lease_seconds)
    def extend(self, picks: list[int], over: int, invention: tuple[str, str, int], lease_seconds: float) -> None:
        leases = [*(self.running(pick) for pick in picks), self.overtaken(over), Lease(*invention)]
        self.pair.both("extend", leases, lease_seconds)

    # Time

    @rule(seconds=some.seconds)
    def advance(self, seconds: float) -> None:
        self.pair.clock.advance(seconds)

    @rule(pick=st.integers(0, 3), early=st.sampled_from((0.0, 0.0, 0.001)), limit=some.limits, lease=some.lease_seconds)
    def advance_to_where_something_happens(self, pick: int, early: float, limit: int, lease: float) -> None:
        moments = self.pair.moments()
        if moments:
            moment = moments[min(pick, len(moments) - 1)]
            self.pair.clock.advance(max(0.0, moment - early - self.pair.clock.now()))
        # It is claims that let things happen.
        self.exchange([], ClaimRequest(some.QUEUES, "w1", limit, lease))

    # Control

    @rule(queue=some.queues, pick=some.picks, others=some.few_ids)
    def cancel(self, queue: str, pick: int, others: list[str]) -> None:
        self.pair.both("cancel", queue, [self.known(queue, pick), *others])

    @rule(pick=some.picks)
    def cancel_what_runs(self, pick: int) -> None:
        lease = self.running(pick)
        self.pair.both("cancel", lease.queue, [lease.id])

    @rule(queue=some.queues, picks=some.many_picks)
    def requeue(self, queue: str, picks: list[int]) -> None:
        self.pair.both("requeue", queue, [self.known(queue, pick, REQUEUABLE) for pick in picks])

    @rule(queue=some.queues, pick=some.picks, others=some.few_ids)
    def delete(self, queue: str, pick: int, others: list[str]) -> None:
        self.pair.both("delete", queue, [self.known(queue, pick), *others])

    @rule(queue=some.queues, pick=some.picks, changes=some.updates, progress=some.bodies)
    def update(self, queue: str, pick: int, changes: TaskUpdate, progress: bytes) -> None:
        self.pair.both("update", queue, self.known(queue, pick), self.placed(changes))
        lease = self.running(pick)
        self.pair.both("update", lease.queue, lease.id, TaskUpdate(progress=progress, attempt=lease.attempt))
        self.pair.both("update", lease.queue, lease.id, TaskUpdate(note=progress, attempt=lease.attempt))

    @rule(queue=some.queues, changes=some.settings)
    def configure(self, queue: str, changes: dict[str, object]) -> None:
        self.pair.both("configure", queue, changes)
        if not changes.get("journal", True):
            self.untold.add(queue)

    @rule(queue=some.queues, verb=st.sampled_from(("resume", "resume", "resume", "pause", "clear")))
    def pause_resume_or_clear(self, queue: str, verb: str) -> None:
        self.pair.both(verb, queue)

    # Workers and readers

    @rule(worker=some.worker_reports, addressee=some.workers, command=some.commands)
    def beat_and_command(self, worker: WorkerInfo, addressee: str, command: Command) -> None:
        self.pair.both("beat", worker)
        self.pair.both("command", addressee, command)
        self.pair.both("workers")

    @rule(
        queue=st.none() | some.queues,
        status=st.none() | st.sampled_from(TaskStatus),
        task_type=st.sampled_from((None, "mail")),
        ids=some.few_ids,
        limit=st.integers(1, 4),
    )
    def read(
        self, queue: str | None, status: TaskStatus | None, task_type: str | None, ids: list[str], limit: int
    ) -> None:
        where = TaskFilter(queue, status, task_type)
        self.pair.compare(f"find {where}, {limit} a page", lambda storage: listed(storage, where, limit))
        self.pair.both("get", ids, queue)
        self.pair.both("journal", queue or some.QUEUES[0], len(self.given), limit)

    # What the rules are made of

    def enqueue(self, tasks: list[NewTask]) -> None:
        self.pair.both("enqueue", [self.placed(task) for task in tasks])

    def settle(self, settlements: list[Settlement]) -> None:
        self.exchange(settlements, None)

    def exchange(self, settlements: list[Settlement], request: ClaimRequest | None) -> Exchange:
        answer: Exchange = self.pair.both("exchange", settlements, request)
        self.given += [Lease(task.queue, task.id, task.attempt) for task in answer.claim.tasks]
        return answer

    def running(self, pick: int) -> Lease:
        """An open lease: where there is none, one is claimed, or else it is any other."""
        leases = self.open_leases()
        if not leases:
            self.exchange([], ClaimRequest(some.QUEUES, "w1", 2, 30.0))
            leases = self.open_leases()
        return leases[pick % len(leases)] if leases else self.once_running(pick)

    def open_leases(self) -> list[Lease]:
        return [
            Lease(queue, task.id, task.attempt)
            for queue in some.QUEUES
            for task in self.pair.tasks(queue)
            if task.status is TaskStatus.PROCESSING
        ]

    def overtaken(self, pick: int) -> Lease:
        """A lease of a task that has been claimed again since; any other where there is none."""
        attempts = {(queue, task.id): task.attempt for queue in some.QUEUES for task in self.pair.tasks(queue)}
        leases = [lease for lease in self.given if attempts.get((lease.queue, lease.id), 0) > lease.attempt]
        return leases[-1 - pick % len(leases)] if leases else self.once_running(pick)

    def ended(self, pick: int) -> Lease:
        """A lease that is over, of a task that was not claimed since; any other where there is none."""
        latest = {
            (queue, task.id, task.attempt)
            for queue in some.QUEUES
            for task in self.pair.tasks(queue)
            if task.status is not TaskStatus.PROCESSING
        }
        leases = [lease for lease in self.given if (lease.queue, lease.id, lease.attempt) in latest]
        return leases[-1 - pick % len(leases)] if leases else self.once_running(pick)

    def once_running(self, pick: int) -> Lease:
        """One of the latest leases, open or not."""
        return self.given[-1 - pick % len(self.given)] if self.given else Lease(some.QUEUES[0], some.IDS[0], 1)

    def known(self, queue: str, pick: int, preferred: Collection[TaskStatus] = ()) -> str:
        """The id of a task in the queue, in one of the preferred states if there is one; of none if it is empty."""
        tasks = self.pair.tasks(queue)
        tasks = [task for task in tasks if task.status in preferred] or tasks
        return tasks[pick % len(tasks)].id if tasks else some.IDS[pick]

    def placed(self, value: Timed) -> Timed:
        """A task or an update with its times, which count from now, as times of the clock."""
        moved = {
            name: round(self.pair.clock.now() + getattr(value, name), 3)
            for name in ("execute_after", "expires_at")
            if getattr(value, name, None) is not None
        }
        return msgspec.structs.replace(value, **moved)


def _settlement(of: Lease | ClaimedTask, end: End) -> Settlement:
    return Settlement(of.queue, of.id, of.attempt, *end)
