"""What only operators see: the keys that there are, marks of deployments, and where a handler hangs."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.observability.rates import Point
from distributed_queue.tests.browser.soundness import check_looks
from distributed_queue.tests.security.keyring import every_kind
from distributed_queue.tests.steps import LIMIT, eventually, put
from distributed_queue.tests.surfaces.api_server import make_pool
from distributed_queue.tests.surfaces.dashboard_server import site

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.tests.browser.conftest import Tab

NOON = 1_700_000_000.0
_RECORD_TEXTS = """
window.drawn = [];
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...others) {
  window.drawn.push(text);
  return fillText.call(this, text, ...others);
};
"""


def test_the_table_of_keys_is_sound_and_tells_their_states(open_tab: Any, axe: str, tmp_path: Path) -> None:
    keys = every_kind(tmp_path / "keys.json")
    with site(keys_file=tmp_path / "keys.json") as place, open_tab(place) as tab:
        page = tab.go("/settings")
        page.get_by_label("API key").fill(keys["admin"])
        page.get_by_role("button", name="Sign in").click()
        table = page.get_by_role("region", name="API keys")
        table.wait_for()
        for name, state in (("admin", "active"), ("expired", "expired"), ("revoked", "revoked")):
            row = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))
            assert row.get_by_text(state, exact=True).count()
        check_looks(page, axe)
        tab.check()


def test_a_deployment_is_marked_in_each_chart_and_named_below(tab: Tab, axe: str) -> None:
    tab.page.add_init_script(_RECORD_TEXTS)
    points = tab.site.dashboard.sampler.points
    for number in range(12):
        point = Point(NOON + 5 * number, 9, 8, number / 4, 0.01, 0.2, 0.3, 0.5, 20 - number, 4)
        points.append(point._replace(deploy="1.4 → 1.5" if number == 6 else ""))
    page = tab.go("/charts")
    page.get_by_text("1.4 → 1.5").wait_for()
    page.wait_for_function("drawn.filter((text) => text === '1.4 → 1.5').length >= 4")
    check_looks(page, axe)


def test_a_handler_that_hangs_is_found_with_two_clicks(open_tab: Any, axe: str) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def send(_: object) -> None:
        begun.set()
        go_on.wait(LIMIT * 4)

    queue = HybridQueue()
    pool = make_pool(queue)
    pool.workers["w1"].register_handler("send", send)
    with queue, site(queue, pool=pool) as place, open_tab(place) as tab:
        try:
            put(queue, {"type": "send"}, timeout=300.0)
            assert begun.wait(LIMIT)
            eventually(lambda: place.dashboard.sampler.look().workers)
            page = tab.go("/workers")
            page.get_by_role("link", name="w1").click()
            page.get_by_role("button", name="Show stacks").click()
            stack = page.locator("details").filter(has_text="Stack:")
            stack.wait_for()
            stack.locator("summary").click()
            stack.locator("pre").filter(has_text=re.compile(r"test_operating\.py:\d+ in \S*send")).wait_for()
            place.dashboard.sampler.look()
            assert stack.get_attribute("open") is not None, "new figures fold nothing in"
            check_looks(page, axe)
            tab.check()
        finally:
            go_on.set()
