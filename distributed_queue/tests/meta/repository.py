"""Where the repository is, and which files are in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "distributed_queue"
DOCS = ROOT / "docs"

_FOLDERS = ("benchmarks", "distributed_queue", "docs", "scripts", ".ci")
_TEXT = frozenset(
    {".cfg", ".css", ".html", ".js", ".json", ".lua", ".md", ".py", ".pyi", ".sh", ".sql", ".toml", ".txt", ".yml", ""}
)


def files(*suffixes: str) -> Iterator[Path]:
    """The text files of the repository, or those with one of the suffixes. Does not need git."""
    found = [path for path in ROOT.iterdir() if path.name not in {".git", ".env", ".coverage"}]
    for folder in _FOLDERS:
        found.extend((ROOT / folder).rglob("*"))
    for path in sorted(found):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix in (suffixes or _TEXT):
            yield path


def shown(path: Path) -> str:
    """The path as messages name it."""
    return str(path.relative_to(ROOT))
