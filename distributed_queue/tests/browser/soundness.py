"""Whether a page is accessible and fits, light and dark, on a desktop and on a phone."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from distributed_queue.tests.browser.conftest import SIZES

if TYPE_CHECKING:
    from playwright.sync_api import Page

ALL_RULES: dict[str, Any] = {"resultTypes": ["violations"]}
_RULES = {
    ("light", "desktop"): ALL_RULES,
    # Of colour and size alone; the rest was looked at.
    ("dark", "phone"): {**ALL_RULES, "runOnly": ["color-contrast", "scrollable-region-focusable", "target-size"]},
}


def check_looks(page: Page, axe: str) -> None:
    """Fail where the page is too wide for one of the sizes, or hard to use for some people."""
    page.evaluate(axe)
    for scheme, size in itertools.product(("light", "dark"), SIZES):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"too wide for a {size}"
        rules = _RULES.get((scheme, size))
        if rules is not None:
            assert not look_closely(page, rules), f"{scheme}, {size}"


def look_closely(page: Page, options: dict[str, Any]) -> list[str]:
    """What the accessibility checker, which was loaded into the page, finds serious."""
    found = page.evaluate("(options) => axe.run(options)", options)
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
