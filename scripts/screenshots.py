"""Takes the pictures of ``docs/incidents.md``: makes each incident happen, and mends it with the dashboard.

``python -m scripts.screenshots [customer] [hang] [outage]`` takes those of some incidents, or of all. It fails where
the dashboard does not lead to the cause, so it is a check of that page as well.
"""

from __future__ import annotations

import linecache
import logging
import shutil
import socket
import sys
import time
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "guides" / "images"
PLACE = "/app/shop/incidents.py"
"""Where the shop's code seems to be in tracebacks: a path of this machine tells a reader nothing."""
HOST = "shop-1"
LIMIT_SECONDS = 120.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Camera:
    """A browser's page on a shop's dashboard."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url

    def go(self, path: str = "") -> None:
        """Load a page of the dashboard."""
        self.page.goto(self._url + path)

    def see(self, words: str) -> None:
        """Wait until the page says so, looking again now and then."""
        self.page.get_by_text(words).first.wait_for(timeout=LIMIT_SECONDS * 1000)

    def click(self, role: Any, name: str) -> None:
        """Press what has a name that begins so."""
        self.page.get_by_role(role, name=name).first.click()

    def take(self, name: str, height: int = 800) -> None:
        """Take a picture, of so many pixels."""
        self.page.mouse.move(0, 0)
        self.page.set_viewport_size({"width": 1280, "height": height})
        path = FOLDER / f"{name}.png"
        self.page.screenshot(path=path)
        # A page has few colours: with a palette, its picture takes less than half.
        Image.open(path).convert("RGB").quantize(255, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


def load_shop() -> ModuleType:
    """The example, as if it stood at ``PLACE``."""
    source = resources.files("distributed_queue.examples").joinpath("incidents.py").read_text()
    module = ModuleType("incidents")
    module.__file__ = str(Path(__file__).resolve())  # it looks for the package from there
    linecache.cache[PLACE] = (len(source), None, source.splitlines(keepends=True), PLACE)
    exec(compile(source, PLACE, "exec"), module.__dict__)  # noqa: S102 - a file of ours
    return module


def customer(shop: Any, camera: Camera) -> None:
    """A handler that fails for one customer: found by the error, mended by editing what the customer sent."""
    until(lambda: dead_in(shop, "orders") == 3)  # noqa: PLR2004 - as the example has it
    camera.go()
    camera.see("new dead letters")
    camera.take("incident-customer-1-overview")
    camera.click("link", "3 new dead letters")
    camera.click("link", "KeyError")
    camera.take("incident-customer-2-group")
    shop.outside.mail_works = False
    until(lambda: dead_in(shop, "mail") > 30)  # noqa: PLR2004 - some
    camera.go("dead")
    camera.take("dashboard-dead", height=360)
    shop.outside.mail_works = True
    for number in range(3):
        camera.go("tasks?q=error:KeyError")
        camera.page.locator("tbody td.lead a").nth(number).click()
        if not number:
            camera.take("incident-customer-3-task", height=1100)
        camera.click("link", "Edit and submit again")
        payload = camera.page.get_by_label("Payload")
        payload.fill(payload.input_value().replace('"UK"', '"GB"'))
        if not number:
            camera.take("incident-customer-4-edit", height=600)
        camera.page.get_by_role("button", name="Submit").last.click()
        camera.see("completed")
    camera.go("tasks?q=error:KeyError")
    camera.page.get_by_role("link", name="delete…").click()
    camera.take("incident-customer-5-delete", height=360)
    camera.click("button", "Delete 3 tasks")
    camera.see("That was all of them")


def hang(shop: Any, camera: Camera) -> None:
    """A worker whose handlers never return: found by what it runs, and since when; mended by cancelling that."""
    camera.go()
    camera.see("Queue reports falls behind")
    camera.see("Worker reports-1 has taken nothing")
    camera.take("incident-hang-1-overview", height=600)
    for number in range(2):
        camera.go("workers")
        camera.click("link", "reports-1")
        if not number:
            camera.click("button", "Show stacks")
            camera.see("Stack:")
            camera.page.locator("summary").filter(has_text="Stack:").first.click()
            camera.take("incident-hang-2-worker", height=640)
        camera.page.locator("tbody td.lead a").first.click()
        if not number:
            camera.take("incident-hang-3-task")
        camera.click("button", "Cancel")
        camera.see("cancelled")
    until(lambda: stats_of(shop, "reports").depth < 5)  # noqa: PLR2004 - as good as empty
    time.sleep(5)
    camera.go("queues/reports")
    camera.take("incident-hang-4-queue", height=600)


def outage(shop: Any, camera: Camera) -> None:
    """Another system is down: found by its queue's failures; mended by a pause, and a requeue at a rate."""
    camera.go()
    camera.see("of the attempts")
    camera.see("new dead letters")
    time.sleep(10)
    camera.go()
    camera.take("incident-outage-1-overview")
    camera.go("queues/mail")
    camera.click("button", "Pause")
    camera.see("Paused.")
    time.sleep(5)
    camera.go("queues/mail")
    camera.take("incident-outage-2-paused", height=600)
    shop.outside.mail_works = True
    camera.click("button", "Resume")
    camera.go("dead")
    camera.click("link", "MailServerDown")
    camera.page.get_by_label("at most").fill("5")
    camera.take("incident-outage-3-rate")
    camera.click("button", "Requeue all")
    camera.see("Requeued")
    camera.go("tasks?q=queue:mail status:scheduled")
    camera.take("incident-outage-4-scheduled")
    until(lambda: dead_in(shop, "mail") + stats_of(shop, "mail").depth < 5)  # noqa: PLR2004 - as good as empty


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that the shop is bound to do."""
    end = time.monotonic() + LIMIT_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the shop did not do what it is bound to do")
        time.sleep(0.2)


def stats_of(shop: Any, queue: str) -> Any:
    """A queue's figures."""
    return shop.queue.queue_stats(queue)[0]


def dead_in(shop: Any, queue: str) -> int:
    """How many dead letters a queue has."""
    return int(stats_of(shop, queue).counts["dead"])


INCIDENTS = {"customer": customer, "hang": hang, "outage": outage}


def main() -> None:
    """Take the pictures."""
    socket.gethostname = lambda: HOST  # pictures show no name of this machine
    logging.disable()  # what the shop's handlers do is not of interest here
    module = load_shop()
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name in sys.argv[1:] or INCIDENTS:
            with module.Shop(name) as shop:
                page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
                INCIDENTS[name](shop, Camera(page, shop.url))
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
