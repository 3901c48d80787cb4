"""The attempts of a task on its page."""

from __future__ import annotations

import re

from distributed_queue import current_task
from distributed_queue.tests.steps import finished, put, running, take
from distributed_queue.tests.surfaces.dashboard_server import site


def test_a_task_shows_its_attempts_also_where_the_journal_knows_nothing_of_them() -> None:
    with site() as here:
        here.queue.configure("default", journal=False)
        task = put(here.queue, {"type": "mail"}, max_retries=0)
        for worker in ("ann", "ben"):
            take(here.queue, worker)
            assert here.queue.mark_failed(task.task_id, f"no answer for {worker}")
            here.queue.requeue(task.task_id)
        page = re.sub(r"<[^>]+>", " ", here.page(f"/tasks/{task.task_id}"))
    for worker, number in (("ann", 1), ("ben", 2)):
        assert f"attempt {number}, by {worker}" in page
        assert f"{number} failed" in page
        assert f"no answer for {worker}" in page


def test_what_a_handler_logged_stands_with_its_attempt_with_nothing_in_it_taken_for_markup() -> None:
    with site() as here:
        with running(here.queue, handlers={"mail": lambda _: current_task().log("<b>sent</b>")}):
            (task,) = finished(here.queue, [put(here.queue, {"type": "mail"})])
        page = here.page(f"/tasks/{task.task_id}")
    assert "INFO <b>sent</b>" in page
