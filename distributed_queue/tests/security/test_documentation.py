"""The guide and SECURITY.md say what is the case."""

from __future__ import annotations

import re

from distributed_queue.api.auth.roles import ACCESS, PUBLIC
from distributed_queue.tests.meta.repository import DOCS, ROOT

GUIDE = (DOCS / "guides" / "security.md").read_text()
TESTS = ROOT / "distributed_queue" / "tests"


def test_the_table_of_roles_is_the_one_that_is_applied() -> None:
    rows = re.findall(r"^\| ([A-Z]+) \| `(/[^`]*)` \| (\w+) \|$", GUIDE, re.MULTILINE)
    shown = {(method, path): role for method, path, role in rows}
    assert len(shown) == len(rows)
    assert shown == {row: "everyone" if role is PUBLIC else role for row, role in ACCESS.items()}


def test_every_test_that_a_promise_names_is_there_and_every_file_of_tests_is_named() -> None:
    named = set(re.findall(r"`((?:tests/meta/)?test_\w+\.py)`", (ROOT / "SECURITY.md").read_text()))
    here = {path.name for path in (TESTS / "security").glob("test_*.py")} - {"test_documentation.py"}
    assert named == here | {"tests/meta/test_requirements.py"}
    assert (TESTS / "meta" / "test_requirements.py").exists()
