"""The Python in the documents runs, and prints what they say.

All ``python`` blocks of a page are one program, run in an empty folder. A line that ends in ``# → text`` prints it.
Where a page speaks of the Redis at ``REDIS``, the program gets one of its own.
A comment ``<!-- not run: reason -->`` before a block keeps it out; it still has to be Python.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from distributed_queue.tests.meta.repository import ROOT, shown
from distributed_queue.tests.meta.test_documents import PAGES

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_SECONDS = 60
REDIS = "redis://localhost:6379/0"

_BLOCK = re.compile(r"(?P<kept_out><!-- not run: .+ -->\n+)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"# → (.*)$", re.MULTILINE)


def program(page: Path) -> str:
    """The page's Python, with everything else as empty lines: a traceback names the line of the page."""
    text = page.read_text()
    lines = [""] * (text.count("\n") + 1)
    for block in _BLOCK.finditer(text):
        if block["kept_out"]:
            continue
        first = text.count("\n", 0, block.start("code"))
        code = block["code"].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines).rstrip() + "\n"


RUNNABLE = [page for page in PAGES if program(page).strip()]


@pytest.mark.parametrize("page", RUNNABLE, ids=shown)
def test_the_python_of_a_page_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = program(page)
    if REDIS in source:
        source = source.replace(REDIS, request.getfixturevalue("redis_url"))
    script = tmp_path / f"{page.stem.replace('-', '_')}_md.py"
    script.write_text(source)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DQ_")}
    done = subprocess.run(
        [sys.executable, "-X", "dev", script.name],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == _PRINTED.findall(source), done.stderr


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_python_that_is_not_run_is_python_all_the_same(page: Path) -> None:
    for block in _BLOCK.finditer(page.read_text()):
        ast.parse(block["code"], filename=shown(page))
