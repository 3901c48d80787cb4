"""One browser a process, steered by Playwright; and pages that tell of everything that goes wrong in them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from distributed_queue.tests.steps import LIMIT
from distributed_queue.tests.surfaces.dashboard_server import Site, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  violations.push(event.violatedDirective + " " + event.blockedURI + " " + event.sample);
});
"""


class Tab:
    """A page, and everything that went wrong in it."""

    def __init__(self, page: Page, place: Site) -> None:
        self.page = page
        self.site = place
        self.wrong: list[str] = []
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("dialog", self._note_dialog)
        page.set_default_timeout(LIMIT * 1000)

    def go(self, path: str) -> Page:
        """Load a page of the dashboard."""
        self.page.goto(self.site.url + path)
        return self.page

    def check(self) -> None:
        """Nothing went wrong, and the policy was not touched."""
        violations = self.page.evaluate("window.violations")
        assert not violations
        assert not self.wrong, self.wrong

    def _note_message(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"{self.page.url}: {message.text}")

    def _note_dialog(self, dialog: Any) -> None:
        self.wrong.append(f"{self.page.url}: a dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium.

    For one module at a time: meanwhile the driver's event loop runs in this thread, and no other test could run one.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.fail("These tests need Chromium on the PATH. Install it: apt-get install chromium, or: make servers")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker, as a script."""
    return (resources.files(__package__) / "vendor" / "axe.min.js").read_text()


@pytest.fixture
def place() -> Iterator[Site]:
    """An empty dashboard."""
    with site() as opened:
        yield opened


@pytest.fixture
def open_tab(browser: Browser) -> Callable[..., Any]:
    """Open a tab in a browser that remembers nothing."""

    @contextmanager
    def opened(place: Site, size: str = "desktop", **options: Any) -> Iterator[Tab]:
        context = browser.new_context(viewport=SIZES[size], reduced_motion="reduce", **options)  # type: ignore[arg-type]
        context.add_init_script(_WATCH)
        try:
            yield Tab(context.new_page(), place)
        finally:
            context.close()

    return opened


@pytest.fixture
def tab(open_tab: Any, place: Site) -> Iterator[Tab]:
    """A tab on the empty dashboard; what went wrong in it fails the test."""
    with open_tab(place) as opened:
        yield opened
        opened.check()
