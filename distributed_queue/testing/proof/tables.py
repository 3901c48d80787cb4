"""The tables of ``docs/reliability.md``, as Markdown, from the code. A test holds the page against them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.testing.proof.violations import Check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from distributed_queue.testing.proof.bugs import Bug


def checks_table() -> str:
    """What the checker looks for."""
    return table(("check", "what it means when it fails"), ((f"`{check.value}`", check.meaning) for check in Check))


def bugs_table(bugs: Iterable[Bug]) -> str:
    """What was planted, and what has to notice."""
    return table(
        ("planted bug", "in", "has to be caught as one of"),
        (
            (bug.name.replace("_", " "), bug.place, ", ".join(sorted(check.value for check in bug.caught_by)))
            for bug in bugs
        ),
    )


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    rule = "|---" * len(columns) + "|\n"
    head, *body = (f"| {' | '.join(line)} |\n" for line in (columns, *rows))
    return head + rule + "".join(body)
