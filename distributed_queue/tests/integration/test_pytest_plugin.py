"""The pytest plugin, in the test runs of its users."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = "distributed_queue.testing.pytest_plugin"

SHOP = """
from distributed_queue import DistributedQ, Retry, RetryPolicy

app = DistributedQ("redis://localhost:1/0")
failures = []

@app.task(retry=Retry(max_retries=1, policy=RetryPolicy(base=60, jitter=0)))
def send_email(to: str) -> str:
    if not failures:
        failures.append(to)
        raise ConnectionError("away")
    return f"sent to {to}"

@app.task
def remind(to: str) -> None:
    send_email.submit(to)
"""
TESTS = """
import pytest
from distributed_queue.errors import StorageUnavailable
from shop import app, remind, send_email

def test_retries_and_schedules_happen_without_a_wait(dq_worker, dq_clock, assert_submitted, assert_not_submitted):
    handle = remind.options(delay=3 * 3600).submit("ada@example.org")
    before = dq_clock.now()
    dq_worker.run()
    assert_not_submitted(send_email)
    dq_clock.advance(hours=3)
    assert dq_clock.now() == before + 3 * 3600
    task = assert_submitted(send_email, to="ada@example.org")
    assert str(task.status) == "retrying"
    dq_clock.advance(minutes=1)
    assert dq_worker.queue.get_task(task.task_id).result == "sent to ada@example.org"

def test_another_test_begins_with_nothing(dq_worker):
    assert dq_worker.submitted() == []

def test_the_storage_fails_where_it_is_told_to(dq_storage):
    dq_storage.fail("enqueue")
    with pytest.raises(StorageUnavailable):
        send_email.submit("ada@example.org")

def test_that_fails(assert_submitted):
    remind.submit("alan@example.org")
    assert_submitted(remind, to="ada@example.org")
"""


def run_tests(folder: Path, *arguments: str) -> str:
    """Run the tests in a folder as somebody who has the package installed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_fixtures_in_a_project(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\ndq_app = shop:app\n")
    said = run_tests(tmp_path)
    assert "1 failed, 3 passed" in said
    assert "No task remind with {'to': 'ada@example.org'} was submitted" in said
    assert "{'to': 'alan@example.org'}" in said


def test_without_an_application_it_says_what_to_do_and_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n"
        "def test_loaded():\n    assert 'msgspec' not in sys.modules\n"
        "def test_which(dq_worker): ...\n"
    )  # fmt: skip
    said = run_tests(tmp_path)
    assert "Override the fixture dq_app, or set dq_app = module:name" in said
    assert "1 passed, 1 error" in said


def test_it_is_installed_with_the_package() -> None:
    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"distributed_queue": PLUGIN}
