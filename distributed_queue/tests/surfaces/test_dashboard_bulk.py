"""Searching for what no index has, and acting on all tasks that fit a search: counted first, then step by step."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.queue import Task
from distributed_queue.dashboard import bulk
from distributed_queue.tests.security.keyring import every_kind
from distributed_queue.tests.steps import eventually, look, put, take
from distributed_queue.tests.surfaces.dashboard_server import SAME_ORIGIN, Site, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def here(storage_url: str) -> Iterator[Site]:
    """On every engine."""
    with HybridQueue.from_url(storage_url) as opened, site(opened) as place:
        yield place


def die(queue: HybridQueue, error: BaseException, **payload: Any) -> str:
    task = put(queue, {"type": "mail", **payload}, max_retries=0)
    take(queue)
    assert queue.mark_failed(task.task_id, error)
    return task.task_id


def listed(here: Site, search: str) -> set[str]:
    page = here.client.get("/tasks", params={"q": search})
    assert page.status_code == 200
    return set(re.findall(r'name="task" value="default/([^"]+)"', page.text))


def send_on(here: Site, page: str) -> str:
    """Send the form that a page has on its way, with all that is hidden in it."""
    form = page.partition('action="/bulk"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    return here.client.post("/bulk", data=fields, headers=SAME_ORIGIN).text


def test_tasks_are_found_by_what_their_error_says_and_by_when_they_were_submitted(here: Site) -> None:
    timeout = die(here.queue, TimeoutError("no answer from smtp.example.org"))
    die(here.queue, KeyError("address"))
    waits = put(here.queue, {"type": "mail"}).task_id
    assert listed(here, "error:TimeOut") == {timeout}
    assert listed(here, 'error:"answer from" status:dead queue:default') == {timeout}
    assert listed(here, "error:nothing") == set()
    assert waits in listed(here, "created>1h")
    assert listed(here, "created<1h") == set()
    assert listed(here, "created>2001-01-01 created<2001-01-02") == set()
    assert here.client.get("/tasks?q=created>1h&cursor=nonsense").status_code == 400


def test_a_long_search_goes_on_from_page_to_page(here: Site) -> None:
    here.queue.put_many(Task(1, {"type": "mail"}) for _ in range(250))
    address, seen = "/tasks?q=created>1h", set()
    while address:
        page = here.client.get(address).text
        seen |= set(re.findall(r'name="task" value="default/([^"]+)"', page))
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == 250


def test_all_that_fit_are_counted_before_anything_is_done(here: Site) -> None:
    dead = die(here.queue, TimeoutError("no answer"))
    other = die(here.queue, KeyError("address"))
    waits = put(here.queue, {"type": "mail"})
    assert "This would retry 1 task . 1 dead" in here.page("/bulk?action=retry&q=error:TimeoutError")
    assert "This would cancel 1 task ." in here.page("/bulk?action=cancel&q=queue:default")
    assert "This would delete 3 tasks ." in here.page("/bulk?action=delete&q=type:mail")
    assert "a task has to be" in here.page("/bulk?action=cancel&q=status:dead")
    assert look(here.queue, waits).status is TaskStatus.PENDING
    done = send_on(here, here.client.get("/bulk?action=retry&q=error:TimeoutError").text)
    assert "Retried <strong>1</strong> tasks. That was all" in done
    assert here.queue.get_task(dead).status is TaskStatus.PENDING  # type: ignore[union-attr]
    assert here.queue.get_task(other).status is TaskStatus.DEAD  # type: ignore[union-attr]


def test_what_takes_long_is_done_in_steps(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "STEP_SECONDS", 0.0)
    here.queue.put_many(Task(1, {"type": "mail"}) for _ in range(1500))
    running = take(here.queue)
    page = send_on(here, here.client.get("/bulk?action=cancel&q=type:mail").text)
    steps = 1
    while "data-go-on" in page:
        page = send_on(here, page)
        steps += 1
    assert steps > 1
    assert "Cancelled <strong>1,500</strong> tasks" in page
    assert look(here.queue, running).cancel_requested
    assert here.queue.queue_stats("default")[0].counts[TaskStatus.CANCELLED] == 1499


def test_what_came_after_the_count_is_left_alone(here: Site) -> None:
    put(here.queue, {"type": "mail"})
    page = here.client.get("/bulk?action=delete&q=type:mail").text
    moment = re.search(r'name="until" value="([^"]+)"', page)
    assert moment is not None
    before = page.replace(moment[1], str(float(moment[1]) - 3600.0))
    assert "Deleted <strong>0</strong>" in send_on(here, before)
    assert "Deleted <strong>1</strong>" in send_on(here, page)


def test_many_are_not_counted_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed_queue.dashboard.pages.bulk.MOST_COUNTED", 2)
    with site() as here:
        here.queue.put_many(Task(1, {"type": "mail"}) for _ in range(3))
        assert "This would cancel more than 2 tasks" in here.page("/bulk?action=cancel&q=queue:default")


@pytest.mark.parametrize("query", ["", "id:some-task", "stauts:dead"])
def test_it_has_to_be_said_which_tasks_are_meant(query: str) -> None:
    with site() as here:
        assert "qualifier" in here.page(f"/bulk?action=delete&q={query}", 400)


def test_only_administrators_act_on_all_that_fit_and_it_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = every_kind(tmp_path / "keys.json")
    with site(keys_file=tmp_path / "keys.json") as here, caplog.at_level(logging.INFO, "distributed_queue.audit"):
        put(here.queue, {"type": "mail"})
        here.sign_in(keys["submit"])
        assert "All that fit" not in here.page("/tasks?q=type:mail")
        assert here.client.get("/bulk?action=cancel&q=type:mail").status_code == 403
        here.send("/bulk", status=403, action="cancel", q="type:mail", until="9e9")
        here.send("/sign-out")
        here.sign_in(keys["admin"])
        assert "All that fit" in here.page("/tasks?q=type:mail")
        send_on(here, here.client.get("/bulk?action=cancel&q=type:mail").text)
        # The line is written once the answer is on its way.
        eventually(lambda: len(audited(caplog)) == 2)
    refused, done = audited(caplog)
    assert (refused["actor"], refused["outcome"]) == ("submit", "refused")
    assert (done["actor"], done["outcome"]) == ("admin", "done")
    assert (done["action"], done["search"], done["count"]) == ("cancel", "type:mail", 1)


def audited(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    lines = [record.__dict__["audit"] for record in list(caplog.records) if "audit" in record.__dict__]
    return [line for line in lines if line["route"] == "/bulk"]
