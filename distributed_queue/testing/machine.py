"""An engine and the memory engine side by side: every verb, in any order, must give the same.

``check_against_memory`` is the entry point. A test calls it with a function that opens an empty storage on a clock::

    def test_my_engine_does_as_memory_does(tmp_path):
        check_against_memory(lambda clock: MyStorage.from_url(f"my://{tmp_path}/{uuid4()}", clock))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from distributed_queue.core.clock import Clock, ManualClock
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import (
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
from distributed_queue.errors import DistributedQueueError
from distributed_queue.storage.memory import MemoryStorage
from distributed_queue.testing import strategies as some
from distributed_queue.testing.steps import changes, listed
from distributed_queue.testing.story import check_story

OpenEmpty = Callable[[Clock], Storage]
Timed = TypeVar("Timed", NewTask, TaskUpdate)
Ending = tuple[int, Outcome, "bytes | None", "bytes | None", float, "str | None"]

EXAMPLES = 200
STEPS = 50
DUE_TOLERANCE_SECONDS = 0.002
"""How far two engines' ``next_due`` may be apart: it is advice, and one of them may round."""


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


class Difference(AssertionError):
    """The engine did not do as memory does."""


class DifferentialMachine(RuleBasedStateMachine):
    """Calls each verb on both, and compares answers after each step and everything stored at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.model = MemoryStorage(self.clock)
        self.engine = self.open_engine()
        self.leases: list[Lease] = []
        self.untold: set[str] = set()
        """Queues whose journal was off for a while."""
        self.differed = False

    def open_engine(self) -> Storage:
        """The engine, on ``clock``, with nothing stored in it."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Compare all that is stored, then close."""
        try:
            if not self.differed:
                self.everything_is_the_same()
        finally:
            self.engine.close()
            self.model.close()

    # Work

    @initialize(tasks=some.ready_tasks)
    def begin(self, tasks: list[NewTask]) -> None:
        # Whether a verb that finds nothing makes a queue is the engine's business; here they are all made.
        for queue in some.QUEUES:
            self.both("configure", queue, {})
        self.enqueue(tasks)

    @rule(tasks=some.ready_tasks)
    def enqueue_ready(self, tasks: list[NewTask]) -> None:
        self.enqueue(tasks)

    @rule(tasks=some.timed_tasks)
    def enqueue_timed(self, tasks: list[NewTask]) -> None:
        self.enqueue(tasks)

    @rule(
        queues=some.some_queues,
        worker=some.workers,
        limit=st.integers(0, 5),
        lease_seconds=some.seconds,
        endings=some.endings,
    )
    def exchange(
        self, queues: tuple[str, ...], worker: str, limit: int, lease_seconds: float, endings: list[Ending]
    ) -> None:
        request = ClaimRequest(queues, worker, limit, lease_seconds)
        self.do_exchange(self.settlements(endings), request)

    @rule(queues=some.some_queues, worker=some.workers, limit=st.integers(1, 5), lease_seconds=some.seconds)
    def claim(self, queues: tuple[str, ...], worker: str, limit: int, lease_seconds: float) -> None:
        named = self.engine.wait(queues, 0)
        answer = self.do_exchange([], ClaimRequest(queues, worker, limit, lease_seconds))
        unnamed = {task.queue for task in answer.claim.tasks} - set(named)
        if unnamed:
            raise self.difference(f"wait({queues}, 0) named {named}, and then {unnamed} had work", None, None)

    @rule(endings=some.endings)
    def settle(self, endings: list[Ending]) -> None:
        self.do_exchange(self.settlements(endings), None)

    @rule(invention=some.inventions, outcome=st.sampled_from(Outcome))
    def settle_what_may_never_have_been(self, invention: tuple[str, str, int], outcome: Outcome) -> None:
        queue, task_id, attempt = invention
        self.do_exchange([Settlement(queue, task_id, attempt, outcome)], None)

    @rule(picks=st.lists(some.picks, max_size=4), lease_seconds=some.seconds)
    def extend(self, picks: list[int], lease_seconds: float) -> None:
        self.both("extend", [self.lease(pick) for pick in picks], lease_seconds)

    @rule(invention=some.inventions, lease_seconds=some.seconds)
    def extend_what_may_never_have_been(self, invention: tuple[str, str, int], lease_seconds: float) -> None:
        self.both("extend", [Lease(*invention)], lease_seconds)

    # Control

    @rule(queue=some.queues, ids=some.some_ids)
    def cancel(self, queue: str, ids: list[str]) -> None:
        self.both("cancel", queue, ids)

    @rule(queue=some.queues, ids=some.some_ids)
    def requeue(self, queue: str, ids: list[str]) -> None:
        self.both("requeue", queue, ids)

    @rule(queue=some.queues, ids=some.some_ids)
    def delete(self, queue: str, ids: list[str]) -> None:
        self.both("delete", queue, ids)

    @rule(queue=some.queues, task_id=some.ids, changes=some.updates)
    def update(self, queue: str, task_id: str, changes: TaskUpdate) -> None:
        self.both("update", queue, task_id, self.placed(changes))

    @rule(pick=some.picks, progress=some.payloads)
    def report_progress(self, pick: int, progress: bytes) -> None:
        lease = self.lease(pick)
        self.both("update", lease.queue, lease.id, TaskUpdate(progress=progress, attempt=lease.attempt))

    @rule(queue=some.queues, verb=st.sampled_from(("pause", "resume", "resume")))
    def pause_or_resume(self, queue: str, verb: str) -> None:
        self.both(verb, queue)

    @rule(queue=some.queues, changes=some.settings)
    def configure(self, queue: str, changes: dict[str, object]) -> None:
        self.both("configure", queue, changes)
        if not changes.get("journal", True):
            self.untold.add(queue)

    @rule(queue=some.queues, changes=some.wrong_settings)
    def configure_wrongly(self, queue: str, changes: dict[str, object]) -> None:
        self.both("configure", queue, changes)

    @rule(queue=some.queues)
    def clear(self, queue: str) -> None:
        self.both("clear", queue)

    @rule(seconds=some.seconds)
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # Workers

    @rule(worker=some.worker_reports)
    def beat(self, worker: WorkerInfo) -> None:
        self.both("beat", worker)

    @rule(worker=some.workers, command=some.commands)
    def command(self, worker: str, command: Command) -> None:
        self.both("command", worker, command)

    # Reading

    @rule(ids=some.some_ids, queue=st.none() | some.queues)
    def get(self, ids: list[str], queue: str | None) -> None:
        self.both("get", ids, queue)

    @rule(
        queue=st.none() | some.queues,
        status=st.none() | st.sampled_from(TaskStatus),
        task_type=st.sampled_from((None, "mail", "nothing")),
        limit=st.integers(1, 4),
    )
    def find(self, queue: str | None, status: TaskStatus | None, task_type: str | None, limit: int) -> None:
        where = TaskFilter(queue, status, task_type)
        self.compare(f"find {where}, {limit} a page", lambda storage: listed(storage, where, limit))

    @rule(queue=some.queues, after=st.integers(0, 30), limit=st.integers(1, 5))
    def journal(self, queue: str, after: int, limit: int) -> None:
        self.both("journal", queue, after, limit)

    @invariant()
    def figures_are_the_same(self) -> None:
        self.both("stats")

    def everything_is_the_same(self) -> None:
        """A full dump."""
        self.both("queues")
        self.both("stats")
        self.both("workers")
        self.compare("find", lambda storage: listed(storage, limit=1000))
        for queue in some.QUEUES:
            self.both("journal", queue, 0, 10_000)
            self.both("journal_tail", queue)
            if queue not in self.untold:
                check_story(changes(self.engine, queue), listed(self.engine, TaskFilter(queue)))

    # How a step is made

    def enqueue(self, tasks: list[NewTask]) -> None:
        self.both("enqueue", [self.placed(task) for task in tasks])

    def do_exchange(self, settlements: list[Settlement], request: ClaimRequest | None) -> Exchange:
        expected: Exchange = self.both("exchange", settlements, request)
        self.leases += [Lease(task.queue, task.id, task.attempt) for task in expected.claim.tasks]
        return expected

    def settlements(self, endings: list[Ending]) -> list[Settlement]:
        """Settlements of leases that were given."""
        made = []
        for pick, outcome, result, error, delay, reason in endings:
            lease = self.lease(pick)
            made.append(Settlement(lease.queue, lease.id, lease.attempt, outcome, result, error, delay, reason))
        return made

    def lease(self, pick: int) -> Lease:
        """One of the latest leases."""
        if not self.leases:
            return Lease(some.QUEUES[0], some.IDS[0], 1)
        return self.leases[-1 - pick % min(len(self.leases), 10)]

    def placed(self, value: Timed) -> Timed:
        """A task or an update with its times, which count from now, as times of the clock."""
        moved = {
            name: round(self.clock.now() + getattr(value, name), 3)
            for name in ("execute_after", "expires_at")
            if getattr(value, name, None) is not None
        }
        return msgspec.structs.replace(value, **moved)

    def both(self, verb: str, *values: object) -> Any:  # the answers of all verbs
        """Call a verb on both; what it gave."""
        return self.compare(f"{verb}{values}", lambda storage: getattr(storage, verb)(*values))

    def compare(self, what: str, ask: Callable[[Storage], Any]) -> Any:
        expected, answer = _outcome(ask, self.model), _outcome(ask, self.engine)
        if not _same(expected, answer):
            raise self.difference(what, expected, answer)
        return expected

    def difference(self, what: str, expected: object, answer: object) -> Difference:
        self.differed = True
        return Difference(f"{what}\n memory: {expected}\n engine: {answer}")


def machine_for(open_empty: OpenEmpty) -> type[DifferentialMachine]:
    """The machine of one engine."""

    class BoundMachine(DifferentialMachine):
        """Of this engine."""

        def open_engine(self) -> Storage:
            return open_empty(self.clock)

    return BoundMachine


def _outcome(ask: Callable[[Storage], Any], storage: Storage) -> Any:
    """What it gave, or what is to be known of the error that it raised."""
    try:
        return ask(storage)
    except DistributedQueueError as error:
        return type(error), vars(error)


def _same(expected: object, answer: object) -> bool:
    if isinstance(expected, Exchange) and isinstance(answer, Exchange):
        return (
            expected.settled == answer.settled
            and expected.claim.tasks == answer.claim.tasks
            and _same_due(expected.claim.next_due, answer.claim.next_due)
        )
    return expected == answer


def _same_due(expected: float | None, answer: float | None) -> bool:
    if expected is None or answer is None:
        return expected is answer
    return abs(expected - answer) <= DUE_TOLERANCE_SECONDS
