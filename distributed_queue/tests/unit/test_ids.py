from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from distributed_queue.core.ids import id_time, new_task_id


def test_an_id_is_a_uuid_of_version_7_in_its_usual_form() -> None:
    task_id = new_task_id()
    parsed = uuid.UUID(task_id)
    assert str(parsed) == task_id
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_an_id_tells_when_it_was_made() -> None:
    before = time.time()
    made = id_time(new_task_id())
    assert made is not None
    assert before - 1 < made < time.time() + 1


def test_ids_ascend_as_text() -> None:
    ids = [new_task_id() for _ in range(20_000)]
    assert all(first < second for first, second in pairwise(ids))


def test_ids_ascend_though_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_task_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000_000_000_000)
    assert first < new_task_id() < new_task_id()


def test_threads_never_get_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda _: [new_task_id() for _ in range(2000)], range(8))
    ids = [task_id for part in parts for task_id in part]
    assert len(set(ids)) == len(ids)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_a_forked_child_does_not_repeat_its_parents_ids() -> None:
    new_task_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, "\n".join(new_task_id() for _ in range(50)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split())
    tails = {task_id[-12:] for task_id in theirs}
    ours = {new_task_id()[-12:] for _ in range(50)}
    assert len(theirs) == 50
    assert not tails & ours


@pytest.mark.parametrize("other", ["t1", "", "9f1c2e0a-3b4d-4c5e-8f60-718293a4b5c6", "zzz"])
def test_other_ids_tell_no_time(other: str) -> None:
    assert id_time(other) is None
