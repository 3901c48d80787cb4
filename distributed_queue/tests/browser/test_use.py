"""What people do with the dashboard: with the mouse, with keys only, and without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.queue import Task
from distributed_queue.dashboard import bulk
from distributed_queue.errors import StorageUnavailable
from distributed_queue.tests.steps import eventually, look, put, take
from distributed_queue.tests.surfaces.dashboard_server import site

if TYPE_CHECKING:
    import pytest

    from distributed_queue.tests.browser.conftest import Tab


def test_figures_are_live_without_loading_the_page(tab: Tab) -> None:
    page = tab.go("/queues")
    page.locator('#live-state[data-state="on"]').wait_for()
    page.evaluate("window.same = true")
    put(tab.site.queue, {"type": "mail"}, queue="brand-new")
    page.get_by_role("link", name="brand-new").first.wait_for()
    assert page.evaluate("window.same")


def test_a_selection_is_not_lost_to_new_figures(tab: Tab) -> None:
    put(tab.site.queue, {"type": "mail"}, task_id="first")
    page = tab.go("/tasks")
    page.get_by_label("Choose first").check()
    page.get_by_text("1 selected").wait_for()
    tab.site.dashboard.sampler.look()
    tab.site.dashboard.sampler.look()
    assert page.get_by_label("Choose first").is_checked()


def test_all_tasks_of_a_page_are_chosen_and_cancelled(tab: Tab) -> None:
    tasks = [put(tab.site.queue, {"type": "mail"}) for _ in range(3)]
    page = tab.go("/tasks?q=status:pending")
    page.get_by_label("Choose all on this page").check()
    page.get_by_text("3 selected").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled 3 of 3 tasks").wait_for()
    assert all(look(tab.site.queue, task).status is TaskStatus.CANCELLED for task in tasks)


def test_all_that_fit_are_cancelled_step_by_step_without_another_click(
    tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "STEP_SECONDS", 0.0)
    tab.site.queue.put_many(Task(1, {"type": "mail"}) for _ in range(2500))
    page = tab.go("/tasks?q=type:mail")
    page.get_by_role("link", name="cancel…").click()
    page.get_by_text("This would cancel 2,500 tasks").wait_for()
    page.get_by_role("button", name="Cancel 2,500 tasks").click()
    page.get_by_text("That was all of them").wait_for()
    assert tab.site.queue.size() == 0


def test_what_cannot_be_undone_is_asked_for_twice(tab: Tab) -> None:
    task = put(tab.site.queue, {"type": "mail"}, queue="mail")
    page = tab.go("/queues/mail")
    assert not page.get_by_role("button", name="Clear the queue").is_visible()
    page.get_by_text("Clear…").click()
    page.get_by_role("button", name="Clear the queue").click()  # the browser asks for the name
    assert tab.site.queue.get_task(task.task_id) is not None
    page.get_by_label("The queue's name").fill("mail")
    page.get_by_role("button", name="Clear the queue").click()
    page.get_by_text("1 tasks are gone").wait_for()
    assert tab.site.queue.get_task(task.task_id) is None


def test_a_dead_group_is_requeued_and_a_task_edited(tab: Tab) -> None:
    queue = tab.site.queue
    put(queue, {"type": "mail", "to": "eve"}, max_retries=0)
    assert queue.mark_failed(take(queue).task_id, ConnectionError("refused"))
    page = tab.go("/dead")
    page.get_by_role("link", name="ConnectionError").click()
    page.get_by_role("button", name="Requeue all 1").click()
    page.get_by_text("Requeued 1 dead letters").wait_for()
    page = tab.go("/tasks?q=status:pending")
    page.locator("td.lead a").click()
    page.get_by_role("link", name="Edit and submit again").click()
    page.locator("#payload").fill('{"type": "mail", "to": "ada"}')
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("Submitted as a new task").wait_for()
    assert [take(queue).payload["to"] for _ in range(2)] == ["eve", "ada"]


def test_keys_are_enough(tab: Tab) -> None:
    put(tab.site.queue, {"type": "mail"}, task_id="wanted", queue="mail")
    tab.site.dashboard.sampler.look()
    page = tab.go("/")
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keyboard").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url("**/queues")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Queue mail").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("wanted")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks/wanted?queue=mail")


def test_theme_and_time_zone_are_remembered(tab: Tab, open_tab: Any) -> None:
    put(tab.site.queue, {"type": "mail"}, task_id="one")
    with open_tab(tab.site, timezone_id="Pacific/Auckland", color_scheme="light") as far:
        page = far.go("/tasks/one")
        shown = page.locator("time").first.get_attribute("title")
        page.get_by_role("button", name="UTC").click()
        assert page.locator("time").first.get_attribute("title") != shown
        page.get_by_role("button", name="System").click()
        page.get_by_role("button", name="Light").click()
        page = far.go("/queues")
        assert page.locator("html").get_attribute("data-theme") == "dark"
        assert page.locator("html").get_attribute("data-zone") == "local"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 19, 23)"
        far.check()
    tab.go("/")


def test_everything_works_without_scripts(open_tab: Any, place: Any) -> None:
    put(place.queue, {"type": "mail"}, task_id="one", queue="mail")
    place.dashboard.sampler.look()
    with open_tab(place, java_script_enabled=False) as tab:
        page = tab.go("/")
        assert not page.get_by_role("button", name="Theme").is_visible()
        page.get_by_role("link", name="mail", exact=True).first.click()
        page.get_by_role("button", name="Pause").click()
        page.get_by_text("Paused. What runs goes on").wait_for()
        page.locator("#search").fill("one")
        page.locator("#search").press("Enter")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_text("Cancelled 1 of 1").wait_for()


class Fragile(HybridQueue):
    """A queue whose storage can be taken away."""

    broken = False

    def _check_open(self) -> None:
        if self.broken:
            raise StorageUnavailable("redis://somewhere:6379/0", "Connection refused")
        super()._check_open()


def test_an_outage_is_told_and_heals_by_itself(open_tab: Any) -> None:
    with Fragile() as queue, site(queue) as place, open_tab(place) as tab:
        page = tab.go("/queues")
        page.locator('#live-state[data-state="on"]').wait_for()
        queue.broken = True
        page.get_by_text("The storage cannot be reached.").wait_for()
        other = tab.page.context.new_page()
        other.goto(place.url + "/tasks")
        other.get_by_text("Connection refused").first.wait_for()
        queue.broken = False
        eventually(lambda: not page.get_by_text("The storage cannot be reached.").is_visible())
        other.get_by_role("heading", name="Tasks").wait_for()
