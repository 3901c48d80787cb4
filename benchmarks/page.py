"""Figures written into a document, between the marks that the document has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def fill(page: Path, parts: dict[str, str]) -> None:
    """Put each text between ``<!-- NAME -->`` and ``<!-- /NAME -->``. Raises ``ValueError`` where a mark is missing."""
    content = page.read_text()
    for name, text in parts.items():
        before, begin, rest = content.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->\n")
        if not begin or not end:
            raise ValueError(f"{page} has no place for {name!r}: <!-- {name} --> and <!-- /{name} -->")
        content = f"{before}{begin}\n{text.strip()}\n\n{end}{after}"
    page.write_text(content)


def circumstances_table(circumstances: dict[str, Any]) -> str:
    """When, on what, with what and by which command the figures were taken."""
    machine, rounds = circumstances["machine"], circumstances["rounds"]
    rows = {
        "date": circumstances["date"],
        "machine": f"{machine['cores']} cores of {machine['processor']}; {machine['system']}",
        "load when the run began": f"{machine['load']:.1f}, of other processes",
        "versions": ", ".join(f"{name} {version}" for name, version in circumstances["versions"].items()),
        "command": f"`{circumstances['command']}`",
        "rounds": f"{rounds}, interleaved; their medians count" if rounds > 1 else "1",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
