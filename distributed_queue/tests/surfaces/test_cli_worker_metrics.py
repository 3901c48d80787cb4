"""``dq worker --metrics-port``: what one program of workers tells Prometheus of itself."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from distributed_queue.cli.exits import ExitCode
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.steps import eventually, finished, put
from distributed_queue.tests.surfaces.programs import LIMIT, Program, run
from distributed_queue.tests.surfaces.prometheus import promtool

if TYPE_CHECKING:
    from pathlib import Path

parse: Any = text_string_to_metric_families  # the library has no types for its parser


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text("handlers = {'double': lambda data: data * 2, 'boom': lambda data: 1 / 0}")
    return tmp_path


def address(program: Program) -> str:
    return program.says("metrics on ").split()[-1]


def scrape(url: str) -> dict[tuple[str, ...], float]:
    """Values by name, without our prefix, and by the labels' values in the order of their names."""
    text = httpx.get(url, timeout=LIMIT, trust_env=False).raise_for_status().text
    return {
        (
            sample.name.removeprefix("distributedq_worker_"),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def test_a_worker_tells_what_it_did(home: Path, shared_url: str) -> None:
    with (
        HybridQueue.from_url(shared_url) as queue,
        Program(
            home, "worker", "mine", "--name", "w", "--threads", "3", "--metrics-port", "0", DQ_STORAGE_URL=shared_url
        ) as program,
    ):
        url = address(program)
        tasks = [put(queue, {"type": kind, "data": 1}, max_retries=0) for kind in ("double", "double", "boom")]
        finished(queue, tasks)
        eventually(lambda: scrape(url).get(("process_attempts_total", "failed", "w")) == 1, LIMIT)
        found = scrape(url)
        assert found["process_attempts_total", "succeeded", "w"] == 2
        assert (found["process_slots", "w"], found["process_slots_busy", "w"]) == (3, 0)
        assert (found["processes",], found["process_restarts_total",]) == (1, 0)
        assert not promtool("check", "metrics", stdin=httpx.get(url, trust_env=False).text)
        assert program.stop() == 0


def test_several_processes_show_themselves_on_one_port(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    arguments = ("worker", "mine", "--processes", "2", "--name", "w", "--metrics-port", "0")
    with Program(home, *arguments, DQ_STORAGE_URL=sqlite_url) as program:
        url = address(program)
        eventually(lambda: {("process_slots", "w-1"), ("process_slots", "w-2")} <= scrape(url).keys(), LIMIT)
        if sys.platform == "linux":
            assert {name for what, name in filter(_is_memory, scrape(url))} == {"w-1", "w-2"}
        killed = queue.workers()[0]
        os.kill(killed.pid, signal.SIGKILL)
        eventually(lambda: scrape(url)["process_restarts_total",] == 1, LIMIT)
        eventually(lambda: any(info.name == killed.name and info.pid != killed.pid for info in queue.workers()), LIMIT)
        assert scrape(url)["processes",] == 2
        assert program.output.count("metrics on ") == 1
        assert program.stop() == 0


def test_the_workers_of_other_programs_are_not_shown(home: Path, sqlite_url: str, queue: HybridQueue) -> None:
    with (
        Program(home, "worker", "mine", "--name", "a", "--metrics-port", "0", DQ_STORAGE_URL=sqlite_url) as one,
        Program(home, "worker", "mine", "--name", "b", DQ_STORAGE_URL=sqlite_url),
    ):
        eventually(lambda: len(queue.workers()) == 2, LIMIT)
        slots = [labels for what, *labels in scrape(address(one)) if what == "process_slots"]
        assert slots == [["a"]]


def test_a_port_that_is_taken_is_an_error_that_names_it(home: Path, sqlite_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = run(home, "worker", "mine", "--metrics-port", port, DQ_STORAGE_URL=sqlite_url)
    assert answer.code == ExitCode.FAILURE
    assert f"port {port}, for metrics" in answer.err


def _is_memory(key: tuple[str, ...]) -> bool:
    return key[0] == "process_resident_memory_bytes"
