"""The type checkers see the whole interface: they accept what the documents say, and find each mistake."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from distributed_queue.tests.meta.repository import ROOT

USAGE = Path(__file__).with_name("usage.py")
CHECKERS = {
    "mypy": (sys.executable, "-m", "mypy", "--strict", "--no-color-output"),
    "pyright": (sys.executable, "-m", "basedpyright", "--level", "error"),
}
_ERROR = re.compile(r"usage\.py:(\d+)(?::\d+)?:? (?:- )?error:")


@pytest.mark.parametrize("checker", CHECKERS)
def test_each_mistake_is_found_and_nothing_else_is_complained_of(checker: str) -> None:
    done = subprocess.run(
        [*CHECKERS[checker], str(USAGE)], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )
    found = {int(number) for number in _ERROR.findall(done.stdout)}
    lines = USAGE.read_text().splitlines()
    mistakes = {number for number, line in enumerate(lines, 1) if "# mistake" in line}
    assert len(mistakes) >= 10
    assert found == mistakes, done.stdout + done.stderr
