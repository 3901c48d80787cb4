"""Values of the port for Hypothesis: few ids, queues and times, so that they meet often."""

from __future__ import annotations

from hypothesis import strategies as st

from distributed_queue.core.storage import Command, NewTask, Outcome, TaskUpdate, WorkerInfo

QUEUES = ("a", "b")
IDS = ("t1", "t2", "t3", "t4", "t10", "T1")
WORKERS = ("w1", "w2")

queues = st.sampled_from(QUEUES)
some_queues = st.lists(queues, min_size=1, max_size=2, unique=True).map(tuple)
ids = st.sampled_from(IDS)
some_ids = st.lists(ids, max_size=4)
workers = st.sampled_from(WORKERS)
priorities = st.sampled_from((0, 5, 100, 1000))
seconds = st.sampled_from((0.001, 0.25, 1.0, 5.0, 5.001, 30.0, 100.0))
"""What clocks are moved by, and how far ahead times lie; whole milliseconds, as storages keep them."""
offsets = st.one_of(seconds, st.sampled_from((0.0, -1.0)))
"""Times from now, some of them over."""
payloads = st.sampled_from((b"", b"x", b"\x00\xff", b"y" * 100))
maybe_payloads = st.none() | payloads
picks = st.integers(0, 9)
"""Which of the leases given so far, the latest being 0."""


def _new_tasks(offset: st.SearchStrategy[float | None]) -> st.SearchStrategy[NewTask]:
    """Tasks whose ``execute_after`` and ``expires_at`` count from now: see ``machine.placed``."""
    return st.builds(
        NewTask,
        id=ids,
        queue=queues,
        type=st.sampled_from(("mail", "other")),
        priority=priorities,
        body=payloads,
        execute_after=offset,
        delay=offset.map(lambda value: value if value is None else max(value, 0.0)),
        expires_at=st.none() | offset,
    )


ready_tasks = st.lists(_new_tasks(st.none()), min_size=1, max_size=5)
timed_tasks = st.lists(_new_tasks(st.none() | offsets), max_size=4)

ENDINGS = st.tuples(
    picks, st.sampled_from(Outcome), maybe_payloads, maybe_payloads, offsets.map(abs), st.sampled_from((None, "why"))
)
"""A lease, and how its attempt ended: outcome, result, error, delay, reason."""
endings = st.lists(ENDINGS, max_size=4)
inventions = st.tuples(queues, ids, st.integers(0, 3))
"""A lease that may or may not have been given: queue, id, attempt."""

updates = st.builds(
    TaskUpdate,
    priority=st.none() | priorities,
    body=maybe_payloads,
    execute_after=st.none() | offsets,
    progress=maybe_payloads,
    attempt=st.none() | st.integers(0, 3),
).filter(
    lambda update: any(
        value is not None for value in (update.priority, update.body, update.execute_after, update.progress)
    )
)

settings = st.fixed_dictionaries(
    {},
    optional={
        "max_size": st.sampled_from((None, 0, 2, 5)),
        # Rates whose intervals are whole milliseconds, so that no engine has to round.
        "rate_limit": st.sampled_from((None, 0.5, 1.0, 4.0, 1000.0)),
        "rate_burst": st.sampled_from((None, 1, 3)),
        "concurrency": st.sampled_from((None, 0, 1, 3)),
        "paused": st.booleans(),
        "max_crashes": st.sampled_from((1, 2, 3)),
        "retention_seconds": st.sampled_from((0.0, 5.0, 3600.0)),
        "retention_count": st.sampled_from((0, 1, 3, 100_000)),
        "journal": st.booleans(),
    },
)
wrong_settings = st.sampled_from(({"max_size": -1}, {"colour": "red"}, {"paused": None}))

worker_reports = st.builds(
    WorkerInfo,
    id=workers,
    name=st.sampled_from(("a", "b")),
    host=st.just("host"),
    pid=st.integers(1, 3),
    state=st.sampled_from(("running", "draining", "stopped")),
)
commands = st.sampled_from(
    (Command(action="stop"), Command(action="scale", max_workers=3), Command(action="cancel", queue="a", task_id="t1"))
)
