"""What is wrong, the worst first: the list that an operator reads before anything else."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.options import is_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from distributed_queue.core.storage import QueueStats, WorkerInfo
    from distributed_queue.observability.rates import Rate
    from distributed_queue.observability.sampler import Sample

SLOW_STORAGE_SECONDS = 0.1
CLOCK_SECONDS = 1.0
OLD_SECONDS = 60.0
"""A queue whose head has waited this long cannot keep up."""
QUIET_SECONDS = 12.0
"""A worker whose last beat is older than this is in trouble; after 30 s it is no longer listed."""
FULL_SHARE = 0.9
FAILING_SHARE = 0.2
FEWEST_ATTEMPTS = 10
"""Below that many, a share of failures says little."""

BAD, WARNING = "bad", "warning"


class Subject(Enum):
    """What to look at for more."""

    STORAGE = "storage"
    WORKERS = "workers"
    WORKER = "worker"
    QUEUE = "queue"
    RETRYING = "retrying"
    """The tasks of a queue that failed and are tried again."""
    DEAD = "dead"


class Problem(NamedTuple):
    """One thing that is wrong, and what to do."""

    severity: str
    text: str
    advice: str
    about: Subject
    name: str = ""
    """The id of the worker, or the name of the queue."""


def find_problems(sample: Sample) -> list[Problem]:
    """Everything that is wrong, the worst first."""
    if not sample.number:
        return []
    found = [*_of_storage(sample), *_of_workers(sample), *_of_dead(sample)]
    for stats in sample.queues:
        found += _of_queue(stats, sample)
    return sorted(found, key=lambda problem: problem.severity != BAD)


def takes_from(worker: WorkerInfo, queue: str) -> bool:
    """Whether a worker may claim from the queue now."""
    chosen = queue in worker.queues if worker.queues else not is_apart(queue)
    return chosen and not worker.paused and worker.state == "running"


def _of_storage(sample: Sample) -> Iterator[Problem]:
    if sample.error:
        yield Problem(
            BAD, sample.error, "Start it, or mend the way to it. It is asked again all the time.", Subject.STORAGE
        )
    health = sample.health
    if health is None:
        return
    if health.latency >= SLOW_STORAGE_SECONDS:
        yield Problem(
            WARNING,
            f"The storage is slow: a round trip took {health.latency * 1000:,.0f} ms",
            "Look at its load, its disk and the network between.",
            Subject.STORAGE,
        )
    if abs(health.clock_offset) >= CLOCK_SECONDS:
        ahead = "ahead of" if health.clock_offset > 0 else "behind"
        yield Problem(
            WARNING,
            f"The storage's clock is {abs(health.clock_offset):,.1f} s {ahead} this server's",
            "The storage's clock decides when tasks are due. Set both by NTP.",
            Subject.STORAGE,
        )
    if health.missing:
        yield Problem(BAD, "The storage gives less durability than was demanded", health.missing, Subject.STORAGE)


def _of_workers(sample: Sample) -> Iterator[Problem]:
    for worker in sample.workers:
        age = sample.time - worker.beat_at
        if age >= QUIET_SECONDS and worker.state != "stopped":
            yield Problem(
                BAD,
                f"Worker {worker.name} has not reported for {age:,.0f} s",
                "Its process hangs, died, or lost the storage. Its tasks come back when their leases end.",
                Subject.WORKERS,
            )
        taken = (
            sample.time - worker.claimed_at if worker.claimed_at and worker.active_tasks >= worker.max_workers else 0
        )
        if taken >= OLD_SECONDS:
            yield Problem(
                WARNING,
                f"Worker {worker.name} has taken nothing for {_duration(taken)}: {_all_slots(worker)}",
                "See what it runs, for how long, and where it is. A handler without a time limit may hang: cancel it.",
                Subject.WORKER,
                worker.id,
            )
        if worker.stuck:
            yield Problem(
                WARNING,
                f"Worker {worker.name} has {_many(worker.stuck, 'stuck handler')}",
                "Told to stop, they do not: give the calls in them time limits. Only a restart frees what they hold.",
                Subject.WORKER,
                worker.id,
            )


def _of_dead(sample: Sample) -> Iterator[Problem]:
    died = {name: rate.died for name, rate in sample.rates.queues.items() if rate.died}
    if died:
        most = sorted(died.items(), key=lambda item: (-item[1], item[0]))[:3]
        where = ", ".join(f"{name} {number:,}" for name, number in most)
        number = _many(sum(died.values()), "new dead letter")
        yield Problem(WARNING, f"{number} {_span(sample.window)}: {where}", "See what killed them.", Subject.DEAD)


def _of_queue(stats: QueueStats, sample: Sample) -> Iterator[Problem]:
    name, pending = stats.queue, stats.counts.get(TaskStatus.PENDING, 0)
    old = stats.oldest_ready_age or 0.0
    if pending and stats.config.paused:
        yield Problem(
            WARNING,
            f"Queue {name} is paused, and {pending:,} tasks wait",
            "Resume it when you can.",
            Subject.QUEUE,
            name,
        )
    elif pending and not any(takes_from(worker, name) for worker in sample.workers):
        yield Problem(
            BAD,
            f"Queue {name} has no worker, and {pending:,} tasks wait",
            "Start one (dq worker MODULE), or resume one that is paused.",
            Subject.WORKERS,
        )
    elif old >= OLD_SECONDS:
        yield Problem(
            WARNING,
            f"Queue {name} falls behind: its oldest task has waited for {_duration(old)}",
            "Add workers or slots, or look for what makes its tasks slow.",
            Subject.QUEUE,
            name,
        )
    limit = stats.config.max_size
    if limit and stats.depth >= limit * FULL_SHARE:
        full = "is full" if stats.depth >= limit else "is nearly full"
        yield Problem(
            BAD if stats.depth >= limit else WARNING,
            f"Queue {name} {full}: {stats.depth:,} of {limit:,} tasks",
            "Further tasks are refused at the limit. Raise it, or let more workers run.",
            Subject.QUEUE,
            name,
        )
    rate = sample.rates.queues.get(name)
    if rate is not None:
        yield from _of_rate(name, rate, sample.window)


def _of_rate(name: str, rate: Rate, window: float) -> Iterator[Problem]:
    span = _span(window)
    share = rate.failure_share
    if rate.lost:
        yield Problem(
            BAD,
            f"Queue {name}: {_many(rate.lost, 'lease')} ran out {span}",
            "A worker died or hung while it held them. The tasks run again.",
            Subject.WORKERS,
        )
    if rate.fenced:
        yield Problem(
            WARNING,
            f"Queue {name}: {_many(rate.fenced, 'late report')} refused {span}",
            "A worker went on with tasks whose lease was over. Nothing was done twice in the storage.",
            Subject.WORKERS,
        )
    if share is not None and share >= FAILING_SHARE and rate.attempts >= FEWEST_ATTEMPTS:
        yield Problem(
            BAD,
            f"Queue {name}: {share:.0%} of the attempts {span} failed",
            "See the errors of what is retried.",
            Subject.RETRYING,
            name,
        )


def worst(problems: Iterable[Problem]) -> str:
    """The severity of the worst, or nothing."""
    return next((problem.severity for problem in problems), "")


def _all_slots(worker: WorkerInfo) -> str:
    return "its only slot is busy" if worker.max_workers == 1 else f"all of its {worker.max_workers:,} slots are busy"


def _span(window: float) -> str:
    return "in the last minute" if window >= 55 else f"in the last {window:.0f} s"  # noqa: PLR2004 - about one


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _duration(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - two hours
