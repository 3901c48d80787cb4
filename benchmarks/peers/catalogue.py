"""The peers: how each is run, why so, and what it promises meanwhile."""

from __future__ import annotations

import sys
from typing import NamedTuple


class Peer(NamedTuple):
    """A task queue, or our own."""

    name: str
    program: str
    """The file in ``programs/``."""
    worker: tuple[str, ...]
    """The command of a worker: its program in the environment, and what follows. Empty where nobody works."""
    tasks: int
    """How many tasks one worker process does in about a second and a half, on the machine of the docs."""
    setting: str
    """How its worker is run."""
    reason: str
    """Why that is its best fair setting, and where that is said."""
    acknowledges: str
    """When a task is taken out of the storage for good: what a crash of the worker can lose."""
    results: str
    """What it keeps of a finished task by default."""
    waits: str
    """How a worker without work learns of some."""
    forks: bool = False
    """Whether one command starts all processes: ``{processes}`` says how many."""
    schema: tuple[str, ...] = ()
    """The command that makes its tables, where it works on PostgreSQL; the others work on Redis."""
    keeps_results: bool = True


OURS = Peer(
    "DistributedQ",
    "with_distributedq.py",
    (sys.executable, "with_distributedq.py", "worker"),
    60_000,
    "defaults: 10 slots",
    "nothing to set",
    "after the work; a crash is noticed when the lease of 30 s ends; fenced by attempt",
    "result, error and times, a day or 100,000 tasks",
    "blocks (BZPOPMIN)",
)
RAW = Peer("raw LPUSH", "with_redis_py.py", (), 0, "redis-py with hiredis", "no queue: the reference", "-", "-", "-")

PEERS = (
    OURS,
    RAW,
    Peer(
        "Celery",
        "with_celery.py",
        (
            "celery",
            "-A",
            "with_celery",
            "worker",
            "-P",
            "solo",
            "-l",
            "ERROR",
            "-n",
            "{number}@peers",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ),
        2_500,
        "`-P solo`, prefetch multiplier 64, no gossip, mingle, heartbeat, rate limits; results ignored unless measured",
        "User guide, *Optimizing*: a multiplier of 64 or 128 for many short tasks. `solo` has no hand-over to children,"
        " which costs more than a task that does nothing.",
        "before the work (`acks_late` is off): a crash loses what runs",
        "none here; with a backend, a day",
        "blocks (BRPOP)",
    ),
    Peer(
        "RQ",
        "with_rq.py",
        ("rq", "worker", "--quiet", "--url", "{url}", "-w", "rq.SimpleWorker", "default"),
        600,
        "`SimpleWorker`, quiet; `result_ttl=0` unless measured",
        "Its *Notes on Performance*: six times as fast as the default, which forks for each task.",
        "before the work, kept in a registry: abandoned tasks are noticed and failed",
        "result and times, 500 s",
        "blocks (BLMOVE)",
    ),
    Peer(
        "Dramatiq",
        "with_dramatiq.py",
        ("dramatiq", "with_dramatiq", "--processes", "{processes}", "--threads", "8"),
        8_000,
        "8 threads a process, prefetch twice as many",
        "The defaults of the command, but for the number of processes.",
        "after the work; a crash is noticed when its heartbeat is 60 s old",
        "none, unless the middleware is added (measured with it)",
        "polls, with a back-off of up to a second",
        forks=True,
    ),
    Peer(
        "Huey",
        "with_huey.py",
        ("huey_consumer", "with_huey.huey", "-k", "thread", "-w", "2", "-q"),
        6_000,
        "`RedisHuey`, 2 threads; `results=False` unless measured",
        "Docs, *Consumer*: threads are the default; more of them only wait for each other where tasks do nothing.",
        "before the work: a crash loses what runs",
        "result, until it is read",
        "blocks (BRPOP)",
    ),
    Peer(
        "arq",
        "with_arq.py",
        ("arq", "with_arq.WorkerSettings"),
        1_500,
        "`max_jobs=32`, `poll_delay=0.01`, uvloop; `keep_result=0` unless measured",
        "32 as in streaQ's benchmark of tasks that do nothing. The default delay of 0.5 s would be its latency, and "
        "bound its rate.",
        "after the work: tasks stay in the queue until they are done",
        "result and times, an hour",
        "polls (every 10 ms here, by default 500)",
    ),
    Peer(
        "SAQ",
        "with_saq.py",
        ("saq", "with_saq.settings", "--quiet"),
        3_500,
        "`concurrency=32`, uvloop, hiredis, quiet; `ttl=-1` unless measured",
        "32 and quiet as in streaQ's benchmark of tasks that do nothing; its README offers `saq[hiredis]`.",
        "after the work; abandoned tasks are swept after their time limit",
        "result and times, 600 s",
        "blocks (BLMOVE)",
    ),
    Peer(
        "Taskiq",
        "with_taskiq.py",
        (
            "taskiq",
            "worker",
            "with_taskiq:broker",
            "--workers",
            "{processes}",
            "--log-level",
            "ERROR",
            "--no-parse",
            "--max-async-tasks",
            "32",
            "--max-prefetch",
            "32",
        ),
        4_500,
        "`ListQueueBroker`, ORJSON, uvloop, 32 at once and 32 prefetched, no parsing; results only where measured",
        "Its README names the list broker for those who want no acknowledgement, which is the faster one. 32 as in "
        "streaQ's benchmark of tasks that do nothing.",
        "before the work (the stream broker acknowledges after it): a crash loses what was taken",
        "none here; with a backend, as long as one says",
        "blocks (BRPOP)",
        forks=True,
    ),
    Peer(
        "streaQ",
        "with_streaq.py",
        ("streaq", "run", "with_streaq:worker", "--workers", "{processes}"),
        5_000,
        "`concurrency=32`, silent tasks, uvloop; `ttl=0` unless measured",
        "32 as in its own benchmark of tasks that do nothing; a log line for each task costs more than the task.",
        "after the work; idle ones are taken over after 60 s",
        "result and times, 5 min",
        "blocks (XREADGROUP)",
        forks=True,
    ),
    Peer(
        "Procrastinate",
        "with_procrastinate.py",
        (
            "procrastinate",
            "--app",
            "with_procrastinate.app",
            "worker",
            "--concurrency",
            "20",
            "--delete-jobs",
            "always",
        ),
        600,
        "PostgreSQL 15 without fsync (as little durable as this Redis), concurrency 20, done tasks deleted, uvloop",
        "Docs, *Concurrency*: for coroutines; the default is 1. A table that does not grow is the faster one.",
        "after the work; stalled workers are noticed after 30 s, their tasks retried by a task of one's own",
        "status and events of each, without results",
        "LISTEN, and polls every 5 s",
        schema=("procrastinate", "--app", "with_procrastinate.app", "schema", "--apply"),
        keeps_results=False,
    ),
    Peer(
        "BullMQ",
        "with_bullmq.cjs",
        ("node", "with_bullmq.cjs", "worker"),
        25_000,
        "Node, `concurrency: 50`, ioredis; `removeOnComplete` unless results are measured",
        "Docs, *Concurrency*: the factor of its example; the default is 1.",
        "after the work; a crash is noticed when its lock of 30 s ends; fenced by token",
        "result and times, for ever unless told otherwise",
        "blocks (BZPOPMIN)",
    ),
)
