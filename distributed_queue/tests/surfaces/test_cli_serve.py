"""``dq serve`` from start to stop, as a program of its own."""

from __future__ import annotations

import json
import re
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.tests.steps import eventually
from distributed_queue.tests.surfaces.programs import HOLDING, Program, run, send_until_it_ends

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Served(NamedTuple):
    """A server that runs for all tests of this module, and the folder that is its home."""

    program: Program
    home: Path
    base: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served")
    with Program(home, "serve", "--port", "0") as program:
        yield Served(program, home, base_url(program))
        assert program.stop() == 0


def base_url(program: Program) -> str:
    found = re.search(r"http://[^/]+", program.says("/docs"))
    assert found
    return found[0]


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """GET, or POST where there is a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_it_says_where_to_look(served: Served) -> None:
    served.program.says("a second one at once")
    said = served.program.output
    for path in ("/docs", "/api/v1/health", "/api/v1/metrics", "/api/v1/tasks"):
        assert f"{served.base}{path}" in said
    assert str(served.home / "data" / "distributedq" / "queue.db") in said
    assert "sqlite" in said
    assert "curl" in said
    assert "default, math, simple" in said


@pytest.mark.parametrize("path", ["/docs", "/api/v1/health", "/api/v1/ready", "/api/v1/metrics", "/api/v1/stats"])
def test_what_it_names_is_there(served: Served, path: str) -> None:
    assert ask(served.base + path)[0] == 200


def test_the_task_that_it_proposes_is_completed(served: Served) -> None:
    body = re.search(r"-d '(.*)'", served.program.says("-d '"))
    assert body
    status, answer = ask(f"{served.base}/api/v1/tasks", json.loads(body[1]))
    assert status == 201
    task_id = json.loads(answer)["task_id"]
    finished = json.loads(ask(f"{served.base}/api/v1/tasks/{task_id}?wait=20")[1])
    assert (finished["status"], finished["result"]) == ("completed", "Completed: Hello World")


def test_tasks_of_the_command_line_are_completed(served: Served) -> None:
    answer = run(served.home, "submit", "math", "--data", '{"operation": "add", "a": 1, "b": 2}', "--wait", "20s")
    assert (answer.code, answer.out) == (0, "3\n")


def test_the_command_line_and_rest_say_the_same_of_a_task(served: Served) -> None:
    task_id = run(served.home, "submit", "default", "--data", '["ü", 1.5]').out.strip()
    assert run(served.home, "tasks", "wait", task_id, "--timeout", "20s").code == 0
    shown = run(served.home, "tasks", "get", task_id, "--json").json
    rest = json.loads(ask(f"{served.base}/api/v1/tasks/{task_id}?traceback=true")[1])
    assert {name: shown[name] for name in rest} == rest


def test_a_port_in_use_is_one_line_that_names_it(served: Served) -> None:
    port = served.base.rpartition(":")[2]
    answer = run(served.home, "serve", "--port", port)
    assert answer.code == ExitCode.FAILURE
    cause, hint = answer.err.splitlines()
    assert f"127.0.0.1, port {port}: Address already in use" in cause
    assert "--port" in hint


def test_without_workers_it_serves_all_the_same(tmp_path: Path) -> None:
    with Program(tmp_path, "serve", "--port", "0", "--workers", "0") as program:
        program.says("none here; start some with")
        base = base_url(program)
        assert json.loads(ask(f"{base}/api/v1/tasks", {"payload": 1})[1])["status"] == "pending"
        assert ask(f"{base}/api/v1/ready")[0] == 200
        assert program.stop() == 0


def test_an_api_key_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    with Program(tmp_path, "serve", "--port", "0", API_KEY="s3cret-key") as program:
        url = f"{base_url(program)}/api/v1/tasks"
        assert ask(url, {"payload": 1})[0] == 401
        assert ask(url, {"payload": 1}, **{"X-API-Key": "s3cret-key"})[0] == 201
        program.stop()
        assert "X-API-Key: $API_KEY" in program.output
        assert "s3cret-key" not in program.output


def test_logs_for_collectors_are_json_from_the_first_line(tmp_path: Path) -> None:
    with Program(tmp_path, "serve", "--port", "0", DQ_LOG_FORMAT="json") as program:
        ready = json.loads(program.says('"ready"'))
        assert ready["url"].startswith("http://127.0.0.1:")
        assert ready["storage"].endswith("queue.db")
        program.stop()
        assert [json.loads(line)["level"] for line in program.output.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_gracefully(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "holding.py").write_text(HOLDING)
    with Program(tmp_path, "serve", "--port", "0", "--handlers", "holding") as program:
        url = f"{base_url(program)}/api/v1/tasks"
        task_id = json.loads(ask(url, {"payload": {"type": "hold"}})[1])["task_id"]
        eventually((tmp_path / "held").exists)
        program.send(number)
        assert "1 task" in program.says("stopping: waiting up to 30 s")
        (tmp_path / "go").touch()
        assert program.ends() == 0
        program.says("stopped")
    assert run(tmp_path, "tasks", "get", task_id, "--json").json["result"] == "held"


def test_a_second_signal_stops_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "holding.py").write_text(HOLDING)
    with Program(tmp_path, "serve", "--port", "0", "--handlers", "holding") as program:
        url = f"{base_url(program)}/api/v1/tasks"
        task_id = json.loads(ask(url, {"payload": {"type": "hold"}})[1])["task_id"]
        eventually((tmp_path / "held").exists)
        program.send(signal.SIGTERM)
        program.says("a second signal stops at once")
        send_until_it_ends(program, signal.SIGTERM)
        assert program.ends() == ExitCode.TERMINATED
        program.says("stopped at once")
    given_back = run(tmp_path, "tasks", "get", task_id, "--json").json
    assert (given_back["status"], given_back["retry_count"], given_back["crashes"]) == ("pending", 0, 0)


def test_a_signal_that_comes_twice_at_the_same_moment_is_one(tmp_path: Path) -> None:
    with Program(tmp_path, "serve", "--port", "0") as program:
        program.says("a second one at once")
        program.send(signal.SIGINT)
        program.send(signal.SIGINT)
        assert program.ends() == 0
