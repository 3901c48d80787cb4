"""Values of the port for Hypothesis: few ids, queues and times, so that they meet often.

Which of the tasks that are there a step is about is drawn as a number (a *pick*), which the machine looks up.
"""

from __future__ import annotations

from hypothesis import strategies as st

from distributed_queue.core.storage import Command, NewTask, Outcome, TaskUpdate, WorkerInfo

QUEUES = ("a", "b")
IDS = ("t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t10", "T1", "t", "t-1")

queues = st.sampled_from(("a", "a", "a", "b"))
some_queues = st.sampled_from((("a", "b"), ("a",), ("b", "a")))
ids = st.sampled_from(IDS)
few_ids = st.lists(ids, max_size=2)
workers = st.sampled_from(("w1", "w2"))
priorities = st.sampled_from((100, 100, 100, 5, 0, 1000))
limits = st.integers(0, 4)
seconds = st.sampled_from((5.0, 0.001, 1.0, 0.25, 30.0, 100.0))
"""What clocks are moved by, and how far ahead times lie; whole milliseconds, as storages keep them."""
lease_seconds = st.sampled_from((10.0, 0.001, 60.0))
delays = st.sampled_from((0.0, 1.0, 5.0))
offsets = st.sampled_from((5.0, 1.0, 0.001, 0.0, -1.0, 60.0))
"""Times from now, some of them over."""
bodies = st.sampled_from((b"x", b"", b"\x00\xff", b"y" * 100))
maybe_bytes = st.none() | bodies
picks = st.integers(0, 7)
many_picks = st.lists(picks, min_size=1, max_size=3)


def _new_tasks(offset: st.SearchStrategy[float | None]) -> st.SearchStrategy[NewTask]:
    """Tasks whose ``execute_after`` and ``expires_at`` count from now: see ``machine.placed``."""
    return st.builds(
        NewTask,
        id=ids,
        queue=queues,
        type=st.sampled_from(("mail", "other")),
        priority=priorities,
        body=bodies,
        execute_after=offset,
        delay=offset.map(lambda value: value if value is None else max(value, 0.0)),
        expires_at=offset,
    )


ready_tasks = st.lists(_new_tasks(st.none()), min_size=2, max_size=6)
timed_tasks = st.lists(_new_tasks(st.none() | offsets), min_size=1, max_size=3)

outcomes = st.sampled_from(Outcome)
ends = st.tuples(outcomes, maybe_bytes, maybe_bytes, delays, st.sampled_from((None, "why")), maybe_bytes)
"""How an attempt ended: outcome, result, error, delay, reason, note."""
many_ends = st.lists(ends, min_size=1, max_size=5)
picked_ends = st.lists(st.tuples(picks, ends), min_size=1, max_size=3)
inventions = st.tuples(queues, ids, st.integers(0, 3))
"""A lease that may or may not have been given: queue, id, attempt."""

updates = st.one_of(
    st.builds(TaskUpdate, priority=priorities),
    st.builds(TaskUpdate, execute_after=offsets),
    st.builds(TaskUpdate, priority=priorities, body=bodies, attempt=st.none() | st.integers(0, 2)),
    st.builds(TaskUpdate, body=maybe_bytes, execute_after=offsets, progress=maybe_bytes, attempt=st.integers(0, 2)),
)
_right_settings = st.fixed_dictionaries(
    {},
    optional={
        "max_size": st.sampled_from((None, None, None, 6, 3, 0)),
        # Rates whose intervals are whole milliseconds, so that no engine has to round.
        "rate_limit": st.sampled_from((None, None, None, 4.0, 1000.0, 0.5)),
        "rate_burst": st.sampled_from((None, 1, 3)),
        "concurrency": st.sampled_from((None, None, None, 3, 1, 0)),
        "max_crashes": st.sampled_from((1, 2, 3)),
        "retention_seconds": st.sampled_from((3600.0, 5.0, 0.0)),
        "retention_count": st.sampled_from((100_000, 3, 1, 0)),
        "journal": st.sampled_from((True, True, True, False)),
    },
)
_wrong_settings = st.sampled_from(({"max_size": -1}, {"colour": "red"}, {"paused": None}))
settings = st.one_of(_right_settings, _right_settings, _wrong_settings)

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
