"""A small run of schemathesis; ``make fuzz`` is the large one."""

from __future__ import annotations

import pytest

from distributed_queue.tests.fuzz.api import fuzz


@pytest.mark.slow
def test_the_api_does_what_its_document_says() -> None:
    run = fuzz("memory://", "key", 1, ("examples", "fuzzing"))
    assert run.code == 0, run.report
    assert run.untested == 0, run.report


def test_on_a_file_too(sqlite_url: str) -> None:
    run = fuzz(sqlite_url, "key", 2, ("fuzzing",), only="queues")
    assert run.code == 0, run.report


def test_who_has_no_key_gets_documented_refusals() -> None:
    run = fuzz("memory://", "no-key", 2, ("fuzzing",), only="tasks")
    assert run.code == 0, run.report
