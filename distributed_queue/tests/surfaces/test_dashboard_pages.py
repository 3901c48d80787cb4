"""What the pages show, and what can be done there, without a browser: every page works without JavaScript."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.errors import StorageUnavailable
from distributed_queue.tests.security.keyring import every_kind, revoke_key
from distributed_queue.tests.steps import LIMIT, eventually, look, put, take
from distributed_queue.tests.surfaces.api_server import make_pool
from distributed_queue.tests.surfaces.dashboard_server import SAME_ORIGIN, Site, site, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = ("/", "/tasks", "/submit", "/queues", "/workers", "/dead", "/charts", "/journal", "/settings")


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as place:
        yield place


@pytest.fixture
def queue(here: Site) -> HybridQueue:
    return here.queue


@pytest.fixture
def stored(storage_url: str) -> Iterator[Site]:
    """On every engine: for what asks more of the storage than the other tests do."""
    with HybridQueue.from_url(storage_url) as opened, site(opened) as place:
        yield place


def die(queue: HybridQueue, error: BaseException | str = "it broke", **fields: Any) -> str:
    task = put(queue, {"type": "mail", "data": 1}, max_retries=0, **fields)
    take(queue)
    assert queue.mark_failed(task.task_id, error)
    return task.task_id


def test_an_empty_queue_teaches_what_to_do_next(here: Site) -> None:
    pages = {path: here.page(path) for path in PAGES}
    assert "Nothing is wrong" in pages["/"]
    assert "dq submit" in pages["/"]
    assert "dq submit" in pages["/tasks"]
    assert "dq worker" in pages["/workers"]
    assert "--max-retries 0" in pages["/dead"]


def test_the_overview_says_what_is_wrong(here: Site, queue: HybridQueue) -> None:
    put(queue, {"type": "mail"}, queue="mail")
    here.dashboard.sampler.look()
    page = here.page("/")
    assert "Queue mail has no worker, and 1 tasks wait" in page
    assert "dq worker MODULE" in page


def test_what_became_due_while_there_was_no_worker_is_a_problem(stored: Site) -> None:
    put(stored.queue, {"type": "mail"}, queue="mail", delay=0.05)

    def is_told() -> bool:
        stored.dashboard.sampler.look()
        return "Queue mail has no worker, and 1 tasks wait" in stored.page("/")

    eventually(is_told)


def test_a_task_shows_its_life_its_payload_and_what_comes_next(stored: Site) -> None:
    here, queue = stored, stored.queue
    task = put(queue, {"type": "mail", "data": {"to": "ada@example.org"}}, max_retries=3)
    take(queue, "worker-7")
    assert queue.mark_failed(task.task_id, ValueError("no such user"))
    page = here.page(f"/tasks/{task.task_id}")
    assert re.search("enqueued .*claimed .*attempt 1, by worker-7 .*retrying .*due", page)
    assert "to: ada@example.org" in page
    assert "ValueError: no such user" in page
    assert "because attempt 1 failed (ValueError); it is retry 1 of 3" in page


def test_a_finished_task_shows_its_result(here: Site, queue: HybridQueue) -> None:
    task = put(queue, {"type": "mail"})
    take(queue)
    assert queue.mark_completed(task.task_id, result={"message_id": "m-1"})
    page = here.page(f"/tasks/{task.task_id}")
    assert "message_id: m-1" in page
    assert "Cancel" not in page.partition("Ran")[0]


def test_the_search_leads_to_a_task_by_its_id_and_filters_by_qualifiers(here: Site, queue: HybridQueue) -> None:
    wanted = put(queue, {"type": "send mail"}, queue="mail")
    put(queue, {"type": "charge"}, queue="billing")
    assert f"queue={wanted.queue}" in str(here.client.get(f"/tasks?q={wanted.task_id}").url)
    page = here.page('/tasks?q=queue:mail type:"send mail" status:pending')
    assert "send mail" in page
    assert "billing" not in page.partition("Submitted")[2]
    assert "There is no qualifier stauts:" in here.page("/tasks?q=stauts:dead")
    assert "There is no task 'nobody-1'" in here.page("/tasks?q=nobody-1")


def test_a_long_list_is_paged_by_cursor(stored: Site) -> None:
    here = stored
    tasks = [put(stored.queue, {"type": "mail"}) for _ in range(120)]
    address, seen = "/tasks?q=status:pending", set()
    while address:
        page = here.client.get(address).text
        seen |= set(re.findall(r'name="task" value="default/([^"]+)"', page))
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == {task.task_id for task in tasks}
    assert here.client.get("/tasks?cursor=nonsense").status_code == 400


def test_chosen_tasks_are_retried_cancelled_and_deleted(stored: Site) -> None:
    here, queue = stored, stored.queue
    dead, waits = die(queue), put(queue, {"type": "mail"})
    assert "Retried 1 of 2 tasks. 1 could not be" in here.send(
        "/tasks", "/tasks", action="retry", back="/tasks", task=[f"default/{dead}", f"default/{waits.task_id}"]
    )
    assert queue.get_task(dead).status is TaskStatus.PENDING  # type: ignore[union-attr]
    here.send("/tasks", "/tasks", action="cancel", back="/tasks", task=[f"default/{waits.task_id}"])
    assert look(queue, waits).status is TaskStatus.CANCELLED
    here.send("/tasks", "/tasks", action="delete", back="/tasks", task=[f"default/{waits.task_id}"])
    assert queue.get_task(waits.task_id) is None
    assert "Nothing was chosen" in here.send("/tasks", "/tasks", action="retry", back="/tasks")


def test_a_task_is_edited_and_submitted_again(here: Site, queue: HybridQueue) -> None:
    origin = die(queue)
    assert f"{origin} stays as it is" in here.page(f"/submit?from={origin}")
    fields: dict[str, Any] = {
        "queue": "mail",
        "priority": "5",
        "delay": "",
        "max_retries": "1",
        "timeout": "2.5",
        "payload": '{"type": "new"}',
    }
    assert "Submitted as a new task" in here.send("/submit", "/submit", **fields)
    task = take(queue)
    assert (task.queue, task.priority, task.max_retries, task.timeout, task.type) == ("mail", 5, 1, 2.5, "new")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"payload": "{"}, "The payload is not JSON"),
        ({"priority": "2000"}, "priority is 2000"),
        ({"queue": "<b>"}, "is not a queue name"),
        ({"timeout": "soon"}, "timeout is 'soon'"),
    ],
)
def test_a_task_that_cannot_be_is_explained_and_not_lost(change: dict[str, Any], words: str) -> None:
    with site() as here:
        page = here.send("/submit", "/submit", status=400, **{"payload": '{"type": "kept"}', "queue": "q", **change})
        assert words in page
        assert change.get("payload", "kept") in page
        assert here.queue.size() == 0


def test_a_queue_is_paused_resumed_limited_and_cleared(here: Site, queue: HybridQueue) -> None:
    put(queue, {"type": "mail"}, queue="mail")
    here.dashboard.sampler.look()
    path = "/queues/mail"
    assert "Paused." in here.send(path, path, action="pause")
    assert queue.queue_stats("mail")[0].config.paused
    here.send(path, path, action="resume")
    assert not queue.queue_stats("mail")[0].config.paused
    limits: dict[str, Any] = {
        "max_size": "10",
        "rate_limit": "2.5",
        "max_crashes": "3",
        "retention_seconds": "60",
        "retention_count": "9",
    }
    assert "The limits are set" in here.send(path, path, action="limits", **limits)
    config = queue.queue_stats("mail")[0].config
    assert (config.max_size, config.rate_limit, config.concurrency) == (10, 2.5, None)
    assert "rate_limit is 'fast'" in here.send(
        path, path, status=400, action="limits", **{**limits, "rate_limit": "fast"}
    )
    assert "type its name, mail" in here.send(path, path, status=400, action="clear", confirm="mial")
    assert "1 tasks are gone" in here.send(path, path, action="clear", confirm="mail")
    assert queue.size() == 0


def test_dead_letters_are_grouped_and_a_group_is_requeued_or_deleted(stored: Site) -> None:
    here, queue = stored, stored.queue
    for _ in range(3):
        die(queue, ConnectionError("refused"))
    die(queue, KeyError("address"))
    page = here.client.get("/dead").text
    groups = re.findall(r'href="(/dead/\w+)"><strong>(\w+)', page)
    assert [kind for _, kind in groups] == ["ConnectionError", "KeyError"]
    refused, key = (path for path, _ in groups)
    assert "Requeue all 3" in here.page(refused)
    assert "Requeued 3 dead letters." in here.send(refused, refused, action="requeue")
    assert "Deleted 1 dead letters" in here.send(key, key, action="delete")
    assert here.page(key, 404)
    assert queue.size() == 3


def test_a_requeued_task_is_seen_to_have_its_retries_again(here: Site, queue: HybridQueue) -> None:
    task = put(queue, {"type": "mail"}, max_retries=2)
    for _ in range(3):
        assert queue.requeue(task.task_id) or look(queue, task).attempt == 0
        take(queue)
        assert queue.mark_failed(task.task_id, "it broke")
    assert queue.requeue(task.task_id)
    take(queue)
    assert re.search(r"processing 100 4 retry 0 of 2 ", here.page("/tasks"))
    page = here.page(f"/tasks/{task.task_id}")
    assert "Attempts 4 retry 0 of 2 since it was requeued" in page


def test_a_group_is_requeued_at_a_rate(stored: Site) -> None:
    here, queue = stored, stored.queue
    ids = [die(queue, ConnectionError("refused")) for _ in range(3)]
    path = "/dead/" + re.findall(r'href="/dead/(\w+)"', here.client.get("/dead").text)[0]
    assert "The rate is 'fast'" in here.send(path, path, status=400, action="requeue", rate="fast")
    page = here.send(path, path, action="requeue", rate="0.01")
    assert "Requeued 3 dead letters, 0.01 a second: the last one runs in 3 min 20 s" in page
    found = [task for each in ids if (task := queue.get_task(each))]
    tasks = sorted(found, key=lambda task: task.execute_after or 0.0)
    assert [task.status for task in tasks] == [TaskStatus.PENDING, TaskStatus.SCHEDULED, TaskStatus.SCHEDULED]
    assert (tasks[2].execute_after or 0.0) - (tasks[1].execute_after or 0.0) == pytest.approx(100.0)


def test_workers_are_shown_with_what_they_run_and_steered() -> None:
    queue = HybridQueue()
    pool = make_pool(queue)
    with queue, site(queue, pool=pool) as here:
        eventually(lambda: here.dashboard.sampler.look().workers)
        link = re.search(r'href="(/worker\?id=[^"]+)"', here.client.get("/workers").text)
        assert link is not None
        identifier = here.dashboard.sampler.latest.workers[0].id
        assert "Nothing at the moment" in here.page(link[1])
        worker = pool.workers["w1"]
        here.send("/worker", link[1], id=identifier, action="scale", slots="7")
        assert worker.config.max_workers == 7
        assert "Slots are a whole number" in here.send(
            "/worker", link[1], 400, id=identifier, action="scale", slots="-1"
        )
        here.send("/worker", link[1], id=identifier, action="pause")
        assert worker.get_stats()["paused"]
        here.send("/worker", link[1], id=identifier, action="resume")
        here.send("/worker", link[1], id=identifier, action="stop")
        eventually(lambda: not worker.running)


def test_where_a_running_handler_is_can_be_looked_at() -> None:
    queue = HybridQueue()
    pool = make_pool(queue)
    begun, go_on = threading.Event(), threading.Event()

    def send(_: object) -> None:
        begun.set()
        go_on.wait(LIMIT)

    with queue, site(queue, pool=pool) as here:
        pool.workers["w1"].register_handler("send", send)
        task = put(queue, {"type": "send", "data": "canary-7f3a"}, timeout=60.0)
        assert begun.wait(LIMIT)
        eventually(lambda: here.dashboard.sampler.look().workers)
        identifier = here.dashboard.sampler.latest.workers[0].id
        path = f"/worker?id={identifier}"
        page = here.page(path)
        assert re.search(rf"{task.task_id} send default 1 .* of 1 min", page)
        assert "Stack:" not in page
        here.send("/worker", path, id=identifier, action="inspect")
        eventually(lambda: here.dashboard.sampler.look().workers[0].stacks)
        page = here.page(path)
        go_on.set()
    assert re.search(r"Stack: \S+test_dashboard_pages.py:\d+ in \S*send … \S+/threading.py:\d+ in \S*wait", page)
    assert "MiB" in page
    assert "canary-7f3a" not in page


def test_the_journal_shows_what_happened(here: Site, queue: HybridQueue) -> None:
    task = put(queue, {"type": "mail"}, queue="mail")
    here.dashboard.sampler.look()
    page = here.page("/journal?queue=mail")
    assert f"enqueued mail {task.task_id}" in page
    assert "Nothing has happened" in here.page("/journal?queue=mail&event=dead")


def test_settings_are_shown_with_secrets_masked_and_their_origin() -> None:
    with site(api_key="canary-4711", storage_url="redis://user:canary-4711@host/0", workers=3) as here:
        here.sign_in("canary-4711")
        page = here.client.get("/settings").text
        assert "canary-4711" not in page
        assert "DQ_WORKERS" in page
        assert "redis://user:***@host/0" in page
        assert "flag" in here.page("/settings")


@pytest.mark.parametrize(
    ("kind", "submits", "rules"),
    [("read", False, False), ("work", False, False), ("submit", True, False), ("admin", True, True)],
)
def test_a_role_hides_and_denies_as_the_api_does(tmp_path: Path, kind: str, submits: bool, rules: bool) -> None:
    keys = every_kind(tmp_path / "keys.json")
    with site(keys_file=tmp_path / "keys.json") as here:
        here.sign_in(keys[kind])
        task = put(here.queue, {"type": "mail"})
        here.dashboard.sampler.look()
        page = here.client.get(f"/tasks/{task.task_id}").text
        assert ("Cancel</button>" in page) is submits
        assert ("Edit and submit again" in page) is submits
        assert ("Delete" in page) is rules
        assert ("Pause</button>" in here.client.get("/queues/default").text) is rules
        chosen: dict[str, Any] = {"task": [f"default/{task.task_id}"], "back": "/tasks"}
        here.send("/tasks", status=200 if rules else 403, action="delete", task=["default/none"], back="/tasks")
        here.send("/queues/default", status=200 if rules else 403, action="pause")
        here.send("/dead/0123456789ab", status=200 if rules else 403, action="delete")
        here.send("/worker", status=200 if rules else 403, id="none", action="stop")
        here.send("/submit", status=200 if submits else 403, payload="{}")
        here.send("/tasks", status=200 if submits else 403, action="cancel", **chosen)
        assert (look(here.queue, task).status is TaskStatus.CANCELLED) is submits
        over_rest = here.client.post(f"/api/v1/tasks/{task.task_id}/retry", headers={"X-API-Key": keys[kind]})
        assert over_rest.status_code == (200 if submits else 403)


def test_administrators_see_which_keys_there_are_but_no_key(tmp_path: Path) -> None:
    keys = every_kind(tmp_path / "keys.json")
    with site(keys_file=tmp_path / "keys.json", api_key="the-only-key") as here:
        here.sign_in(keys["read"])
        assert "API keys" not in here.page("/settings")
        here.send("/sign-out")
        here.sign_in(keys["admin"])
        page = here.client.get("/settings").text
        text = text_of(page).partition("API keys")[2]
        assert re.search(r"API_KEY – admin active – never –", text)  # noqa: RUF001 - dashes as the page has them
        assert re.search(r"read \w{10} read active (now|\d)", text)
        assert not any(key in page for key in (*keys.values(), "the-only-key"))


def test_a_revoked_key_ends_the_session(tmp_path: Path) -> None:
    keys = every_kind(tmp_path / "keys.json")
    with site(keys_file=tmp_path / "keys.json") as here:
        here.sign_in(keys["admin"])
        revoke_key(tmp_path / "keys.json", "admin")
        eventually(lambda: here.client.get("/").url.path == "/sign-in")


class Fragile(HybridQueue):
    """A queue whose storage can be taken away."""

    broken = False

    def _check_open(self) -> None:
        if self.broken:
            raise StorageUnavailable("redis://somewhere:6379/0", "Connection refused")
        super()._check_open()


def test_while_the_storage_is_down_pages_say_so_and_heal() -> None:
    with Fragile() as queue, site(queue) as here:
        put(queue, {"type": "mail"})
        here.dashboard.sampler.look()
        queue.broken = True
        here.dashboard.sampler.look()
        page = here.page("/tasks", 503)
        assert "Cannot reach the storage at redis://somewhere:6379/0: Connection refused" in page
        assert 'http-equiv="refresh"' in here.client.get("/tasks").text
        assert "Cannot reach the storage" in here.page("/")
        queue.broken = False
        here.dashboard.sampler.look()
        assert "Tasks" in here.page("/tasks")
        assert "Cannot reach" not in here.page("/")


def test_many_open_pages_cost_the_storage_one_look() -> None:
    class Counted(HybridQueue):
        looks = 0

        def queue_stats(self, queue: str | None = None) -> Any:
            self.looks += 1
            return super().queue_stats(queue)

    with Counted() as queue, site(queue) as here:
        here.dashboard.sampler.look()
        before = queue.looks
        for _ in range(20):
            here.page("/")
            here.page("/queues")
        # A slow machine may take longer than a sample lasts, but never for each page.
        assert queue.looks - before < 20


def test_the_stream_tells_of_each_new_sample() -> None:
    with site() as here, here.client.stream("GET", "/live/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in stream.iter_lines() if line.startswith("data:"))
        first = next(lines)
        here.dashboard.sampler.look()
        assert next(lines) != first


def test_what_is_nowhere_is_a_page_too(here: Site) -> None:
    assert "No task nobody is stored" in here.page("/tasks/nobody", 404)
    assert "No task was ever submitted to a queue nowhere" in here.page("/queues/nowhere", 404)
    assert "is not a queue name" in here.page("/queues/%3Cb%3E", 400)
    assert here.client.post("/tasks", data={"token": "x"}, headers=SAME_ORIGIN).status_code == 403
