"""What holds of every file of the repository."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from distributed_queue.tests.meta.repository import files, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 50

# Written in two parts, so that this file does not break its own rule.
FOREIGN = tuple(
    "".join(parts)
    for parts in (
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("npm", "js."),
        ("repo1.", "maven"),
        ("proxy.", "golang"),
        ("deb.", "debian"),
        ("/ro", "ot/"),
        ("/wo", "rk/"),
        ("/ho", "me/"),
        ("/Use", "rs/"),
    )
)
LEFT_OVERS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")


def test_no_file_is_longer_than_500_lines() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in files(".py", ".lua", ".sql")}
    assert not {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES}


def test_no_function_is_longer_than_50_lines() -> None:
    too_long = {
        f"{shown(path)}:{function.lineno} {function.name}": lines
        for path in files(".py")
        for function in _functions(path)
        if (lines := _length(function)) > MAX_FUNCTION_LINES
    }
    assert not too_long


def test_every_module_says_what_it_is() -> None:
    # A file of tests is named after what it tests, and its tests after what they show.
    modules = (path for path in files(".py") if "tests" not in path.parts)
    assert not [shown(path) for path in modules if ast.get_docstring(ast.parse(path.read_text())) is None]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    assert not [
        f"{shown(path)}: {name}" for path in files() for name in FOREIGN if name in path.read_text(errors="replace")
    ]


def test_no_file_has_marks_of_unfinished_work() -> None:
    marks = [f"{shown(path)}: {mark}" for path in files() for mark in LEFT_OVERS.findall(path.read_text())]
    assert not marks


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the ``def`` to the end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
