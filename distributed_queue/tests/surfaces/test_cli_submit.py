"""``dq submit``: one task, or a file of them, and waiting for results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.handlers import handlers
from distributed_queue.tests.steps import running
from distributed_queue.tests.surfaces.programs import LIMIT, run

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.tests.surfaces.programs import Dq


def test_a_submitted_task_is_printed_by_its_id_alone(dq: Dq, queue: HybridQueue) -> None:
    answer = dq("submit", "simple", "--data", '"Hello World"', "--priority", "1")
    assert answer.code == 0
    assert answer.err == ""
    task = queue.get_task(answer.out.strip())
    assert task is not None
    assert (task.payload, task.priority, task.queue) == ({"type": "simple", "data": "Hello World"}, 1, "default")


def test_all_that_a_task_can_have_is_submitted(dq: Dq, queue: HybridQueue) -> None:
    flags = "--queue mail --max-retries 7 --timeout 1m30s --id order-1 --at 2100-01-01T00:00:00Z"
    answer = dq("submit", "send", "--payload", '{"to": "x", "n": null}', *flags.split(), "--json")
    assert answer.code == 0
    stored = queue.get_task("order-1")
    assert stored is not None
    assert stored.payload == {"type": "send", "to": "x", "n": None}
    assert (stored.queue, stored.max_retries, stored.timeout) == ("mail", 7, 90.0)
    assert answer.json["execute_after"] == "2100-01-01T00:00:00.000Z"
    assert answer.json["status"] == "scheduled"


def test_a_delay_counts_from_now(dq: Dq) -> None:
    answer = dq("submit", "simple", "--delay", "5m", "--json")
    assert answer.json["status"] == "scheduled"


def test_the_same_id_again_adds_nothing(dq: Dq, queue: HybridQueue) -> None:
    dq("submit", "simple", "--id", "one")
    again = dq("submit", "simple", "--id", "one")
    assert (again.code, again.out) == (0, "one\n")
    assert "was there already" in again.err
    assert queue.size() == 1


def test_the_same_id_for_something_else_is_a_conflict(dq: Dq) -> None:
    dq("submit", "simple", "--id", "one")
    assert dq("submit", "other", "--id", "one").code == ExitCode.CONFLICT


def test_data_may_come_from_a_file_or_from_stdin(dq: Dq, queue: HybridQueue, tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "data.json").write_text('{"big": [1, 2]}')
    named = dq("submit", "simple", "--data", f"@{tmp_path / 'data.json'}")
    piped = run(tmp_path, "submit", "simple", "--data", "-", "--storage-url", sqlite_url, stdin="[1]")
    tasks = [queue.get_task(answer.out.strip()) for answer in (named, piped)]
    assert [task.data for task in tasks if task] == [{"big": [1, 2]}, [1]]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("submit", "x", "--priority", "1001"), "priority"),
        (("submit", "x", "--queue", "a b"), "queue name"),
        (("submit", "x", "--id", "a b"), "task_id"),
        (("submit", "x", "--data", '"\\ud800"'), "surrogate"),
        (("submit", "x", "--max-retries", "-1"), "max_retries"),
    ],
)
def test_bad_input_is_refused_and_nothing_stored(
    dq: Dq, queue: HybridQueue, arguments: tuple[str, ...], field: str
) -> None:
    answer = dq(*arguments)
    assert answer.code == ExitCode.USAGE
    assert field in answer.err
    assert queue.size() == 0


def test_waiting_prints_the_result(dq: Dq, queue: HybridQueue) -> None:
    with running(queue, handlers=handlers):
        assert dq("submit", "simple", "--data", '"x"', "--wait", f"{LIMIT}s").out == "Completed: x\n"
        add = '{"operation": "add", "a": 1, "b": 2}'
        answer = dq("submit", "math", "--data", add, "--wait", "--json")
    assert (answer.code, answer.json["status"], answer.json["result"]) == (0, "completed", 3)


def test_waiting_in_vain_is_a_timeout(dq: Dq) -> None:
    answer = dq("submit", "simple", "--id", "one", "--wait", "50ms")
    assert answer.code == ExitCode.TIMEOUT
    assert "dq tasks wait one" in answer.err
    assert dq("tasks", "wait", "one", "--timeout", "50ms").code == ExitCode.TIMEOUT


def test_waiting_for_a_task_that_fails_tells_why(dq: Dq, queue: HybridQueue) -> None:
    with running(queue, handlers=handlers):
        division = '{"operation": "divide", "a": 1, "b": 0}'
        answer = dq("submit", "math", "--data", division, "--max-retries", "0", "--wait", f"{LIMIT}s")
    assert answer.code == ExitCode.TASK_FAILED
    assert "ZeroDivisionError: cannot divide 1 by zero" in answer.err
    assert answer.out == ""


def test_a_file_of_tasks_is_submitted(dq: Dq, queue: HybridQueue, tmp_path: Path) -> None:
    lines = [{"payload": {"type": "simple", "data": n}, "task_id": f"t-{n}", "priority": n % 7} for n in range(1200)]
    lines[0] |= {"execute_after": "2100-01-01", "expires_at": 4200000000, "queue": "later", "retry": {"base": 1}}
    file = tmp_path / "tasks.ndjson"
    file.write_text("\n\n".join(map(json.dumps, lines)))
    assert dq("submit", "--file", str(file), "--json").json == {"submitted": 1200, "known": 0}
    assert queue.size() == 1200
    later = queue.get_task("t-0")
    assert later is not None
    assert (later.execute_after, later.queue) == (4102444800.0, "later")
    assert dq("submit", "--file", str(file)).out == "0 tasks submitted, 1,200 were there already\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Line 2: "),
        ("[1]", "Line 2: Expected `object`"),
        ('{"payload": 1, "prio": 2}', "unknown field `prio`"),
        ('{"priority": 2}', "missing required field `payload`"),
        ('{"payload": 1, "execute_after": "soon"}', "'soon' is not a time"),
        ('{"payload": 1, "priority": "high"}', "$.priority"),
    ],
)
def test_a_line_that_is_no_task_is_named(dq: Dq, queue: HybridQueue, tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "tasks.ndjson"
    file.write_text('{"payload": 1}\n' + line + "\n")
    answer = dq("submit", "--file", str(file))
    assert answer.code == ExitCode.USAGE
    assert message in answer.err
    assert queue.size() == 0


def test_an_error_in_a_long_file_tells_how_far_it_came(dq: Dq, queue: HybridQueue, tmp_path: Path) -> None:
    file = tmp_path / "tasks.ndjson"
    file.write_text('{"payload": 1}\n' * 700 + "oops\n")
    answer = dq("submit", "--file", str(file))
    assert "500 tasks up to line 500 were submitted" in answer.err
    assert "Line 701" in answer.err
    assert queue.size() == 500
