"""The tables of the page on reliability are those of the code."""

from __future__ import annotations

from pathlib import Path

from distributed_queue.testing.proof.bugs import BUGS
from distributed_queue.testing.proof.tables import bugs_table, checks_table

PAGE = (Path(__file__).resolve().parents[3] / "docs/reliability.md").read_text()


def test_the_page_lists_what_is_checked() -> None:
    assert checks_table() in PAGE, "put there what python -m distributed_queue.testing.proof --checks prints"


def test_the_page_lists_the_seeded_bugs() -> None:
    assert bugs_table(BUGS) in PAGE, "put there what python -m distributed_queue.testing.proof --bugs prints"
