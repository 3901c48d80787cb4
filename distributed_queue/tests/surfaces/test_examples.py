"""Every example runs as it is, and shows what it says that one will see."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from distributed_queue.tests.meta.repository import PACKAGE, ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = PACKAGE / "examples"


def run(example: str, *arguments: str, cwd: Path = ROOT) -> str:
    """What it prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{example}.py"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lines_after(output: str, heading: str) -> list[str]:
    """The indented lines below the one that begins with ``heading``."""
    block = re.search(rf"^{re.escape(heading)}.*\n((?:  .*\n)*)", output, re.MULTILINE)
    assert block, output
    return [line.strip() for line in block[1].splitlines()]


def test_basic_queue_runs_tasks_in_the_order_of_their_priority(storage_url: str) -> None:
    output = run("basic_queue", "--storage-url", storage_url)
    assert lines_after(output, "5 tasks wait") == [
        "running greet('first')",
        "running greet('second')",
        "running add({'a': 1, 'b': 2})",
        "running greet('last of all')",
        "running greet('one second later')",
    ]
    assert "priority 10  add    3" in lines_after(output, "done in")
    assert lines_after(output, "and without a worker") == ["NO HANDLER NEEDED"]


def test_an_example_runs_as_a_module_too() -> None:
    command = [sys.executable, "-m", "distributed_queue.examples.basic_queue"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=True)
    assert "NO HANDLER NEEDED" in done.stdout


def test_worker_pool_shares_the_load_and_follows_the_backlog(storage_url: str) -> None:
    output = run("worker_pool", "--storage-url", storage_url)
    assert re.search(r"urgent tasks done after \d\.\d s, [1-9]\d* bulk tasks wait", output)
    assert {line.split()[0] for line in lines_after(output, "bulk tasks done")} == {"express", "bulk", "helper"}
    assert {line.split()[0] for line in lines_after(output, "one worker removed")} == {"express", "bulk"}
    slots = [int(line.split()[2]) for line in lines_after(output, "400 more tasks")]
    assert max(slots) > slots[0]


@pytest.mark.parametrize(
    ("incident", "words"),
    [
        ("customer", r"orders +\d+ completed, [123] dead"),
        ("hang", r"reports +\d+ pending, 2 processing, 3 completed"),
        ("outage", r"mail .*[1-9]\d* (dead|retrying)"),
    ],
)
def test_incidents_go_wrong_as_they_are_told(incident: str, words: str) -> None:
    output = run("incidents", incident, "--port", "0", "--seconds", "4")
    assert re.search(r"Something is wrong with this shop: http://localhost:\d+/", output)
    assert re.search(words, output), output


def test_error_handling_shows_retries_dead_letters_and_requeue(storage_url: str) -> None:
    output = run("error_handling", "--storage-url", storage_url)
    assert sum("ConnectionError" in line for line in lines_after(output, "failed attempts")) == 2
    outcome = [tuple(line.split()[:2]) for line in lines_after(output, "what came of them")]
    assert outcome == [
        ("flaky", "completed"),
        ("invoice", "dead"),
        ("invoice", "dead"),
        ("slow", "dead"),
        ("unheard-of", "dead"),
    ]
    assert "in send_invoice" in "".join(lines_after(output, "4 dead letters"))
    assert sorted(lines_after(output, "mended, and 2 requeued")) == [
        "sent to ada at example.org",
        "sent to alan at example.org",
    ]


def test_asyncio_app_serves_all_at_once(storage_url: str) -> None:
    output = run("asyncio_app", "--storage-url", storage_url, "--visitors", "100")
    assert lines_after(output, "100 visitors served")[0] == "Accra: 5 degrees"


def test_api_client_starts_a_server_and_tours_it() -> None:
    output = run("api_client")
    assert lines_after(output, "submitted") == ["completed: Completed: Hello World"]
    assert "submitted twice with one key: the same task" in output
    assert "listed in pages of 40, 40, 20" in output
    assert output.count("refused: 422") == 2
    assert lines_after(output, "failed: dead") == ["among the dead letters: True", "requeued: {'requeued': 1}"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_performance_test_prints_figures_and_saves_a_plot(suffix: str, tmp_path: Path) -> None:
    plot = tmp_path / f"plot.{suffix}"
    few = ("--tasks", "2000", "--pace", "100", "--seconds", "0.3")
    output = run("performance_test", *few, "--output", plot.name, cwd=tmp_path)
    assert re.search(r"processed +│ +[\d,]+ tasks/s", output)
    assert f"plot: {plot}" in output
    assert plot.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<?xml")


def test_thumbnails_fetches_and_shrinks_every_picture(tmp_path: Path) -> None:
    output = run("thumbnails", "--pictures", "10", "--output", str(tmp_path / "gallery"))
    assert "10 thumbnails made in" in output
    thumbnails = sorted((tmp_path / "gallery" / "thumbnails").iterdir())
    assert len(thumbnails) == 10
    for path in thumbnails:
        with Image.open(path) as thumbnail:
            assert thumbnail.size == (240, 180)
    with Image.open(tmp_path / "gallery" / "contact-sheet.png") as sheet:
        assert sheet.size[0] > sheet.size[1] > 2 * 180


def test_no_example_is_forgotten_here() -> None:
    programs = {path.stem for path in EXAMPLES.glob("*.py") if '__name__ == "__main__"' in path.read_text()}
    own_source = (PACKAGE / "tests" / "surfaces" / "test_examples.py").read_text()
    assert programs == set(re.findall(r'run\("(\w+)"', own_source))
