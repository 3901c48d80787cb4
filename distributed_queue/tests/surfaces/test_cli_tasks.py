"""``dq tasks`` and ``dq dead``: looking at tasks, and deciding what becomes of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue import current_task
from distributed_queue.api.documents import task_document
from distributed_queue.cli.exits import ExitCode
from distributed_queue.tests.steps import finished, look, put, running

if TYPE_CHECKING:
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.task import Task
    from distributed_queue.tests.surfaces.programs import Dq


def kill(queue: HybridQueue, *tasks: Task) -> None:
    """Let tasks end as dead letters."""
    with running(queue, handlers={"broken": lambda data: data["missing"]}):
        finished(queue, tasks)


def put_broken(queue: HybridQueue, /, **fields: Any) -> Task:
    return put(queue, {"type": "broken", "data": {}}, max_retries=0, **fields)


def test_a_task_is_shown_with_the_fields_of_the_rest_api(dq: Dq, queue: HybridQueue) -> None:
    task = put(queue, {"type": "simple", "data": [1, "ü"]})
    stored = queue.get_task(task.task_id)
    assert stored is not None
    assert dq("tasks", "get", task.task_id, "--json").json == task_document(stored, traceback=True, history=True)
    shown = dq("tasks", "get", task.task_id).out
    assert f"task_id      {task.task_id}\n" in shown
    assert "\nstatus       pending\n" in shown
    assert "ü" in shown


def test_each_attempt_of_a_task_has_a_line(dq: Dq, queue: HybridQueue) -> None:
    task = put_broken(queue)
    kill(queue, task)
    assert "dead" in dq("tasks", "get", task.task_id).out
    (attempt,) = dq("tasks", "get", task.task_id, "--json").json["history"]
    line = f"history      1  {attempt['started_at']}  failed after "
    shown = dq("tasks", "get", task.task_id).out
    assert line in shown
    assert f"by {attempt['worker_id']}: KeyError: 'missing'\n" in shown


def test_what_a_handler_logged_stands_below_its_attempt(dq: Dq, queue: HybridQueue) -> None:
    with running(queue, handlers={"mail": lambda _: current_task().log("two\nlines", level="WARNING")}):
        (task,) = finished(queue, [put(queue, {"type": "mail"})])
    (attempt,) = dq("tasks", "get", task.task_id, "--json").json["history"]
    (line,) = attempt["log"]
    assert (line["level"], line["message"], attempt["log_dropped"]) == ("WARNING", "two\nlines", 0)
    assert f"   {line['at']}  WARNING  two\\nlines\n" in dq("tasks", "get", task.task_id).out


def test_a_task_that_is_not_there_is_not_found(dq: Dq) -> None:
    for command in ("tasks get", "tasks wait", "tasks cancel", "tasks retry", "dead show"):
        answer = dq(*command.split(), "nobody")
        assert answer.code == ExitCode.NOT_FOUND, command
        assert "No task 'nobody' is stored" in answer.err


def test_tasks_are_listed_in_their_order(dq: Dq, queue: HybridQueue) -> None:
    late = put(queue, {"type": "b"}, priority=9, queue="mail")
    soon = put(queue, {"type": "a"}, priority=1, queue="mail")
    put(queue, {"type": "a"}, queue="other")
    answer = dq("tasks", "list", "--queue", "mail", "--json")
    assert [task["task_id"] for task in answer.json["items"]] == [soon.task_id, late.task_id]
    assert answer.json["next_cursor"] is None
    assert [task["queue"] for task in dq("tasks", "list", "--type", "a", "--json").json["items"]] == ["mail", "other"]
    header, *rows = dq("tasks", "list", "--status", "pending").out.splitlines()
    assert header.split()[:4] == ["ID", "QUEUE", "TYPE", "STATUS"]
    assert len(rows) == 3


def test_a_long_list_goes_on_at_its_cursor(dq: Dq, queue: HybridQueue) -> None:
    tasks = [put(queue, {"type": "x"}) for _ in range(5)]
    first = dq("tasks", "list", "--limit", "3", "--json").json
    rest = dq("tasks", "list", "--limit", "3", "--cursor", first["next_cursor"], "--json").json
    assert [task["task_id"] for task in first["items"] + rest["items"]] == [task.task_id for task in tasks]
    assert rest["next_cursor"] is None
    assert "--cursor" in dq("tasks", "list", "--limit", "3").err


def test_an_empty_list_says_so_beside_the_data(dq: Dq) -> None:
    answer = dq("tasks", "list")
    assert (answer.code, answer.err) == (0, "No tasks.\n")
    assert dq("tasks", "list", "--cursor", "nonsense").code == ExitCode.USAGE


def test_a_payload_cannot_steer_the_terminal(dq: Dq, queue: HybridQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    task = put(queue, {"type": "evil\x1b]0;title\x07\x9b2J", "data": "\x1b[2J\u202e"})
    for on_terminal in (False, True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda answer=on_terminal: answer)
        for arguments in (("tasks", "list"), ("tasks", "get", task.task_id), ("tasks", "get", task.task_id, "--json")):
            printed = dq(*arguments).out
            assert "evil" in printed
            assert not any(sign in printed for sign in ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e"))


def test_a_waiting_task_is_cancelled(dq: Dq, queue: HybridQueue) -> None:
    task = put(queue, {"type": "x"})
    answer = dq("tasks", "cancel", task.task_id, "--json")
    assert (answer.code, answer.json["items"][0]["status"]) == (0, "cancelled")


def test_of_several_tasks_each_is_tried_and_the_first_misfit_decides(dq: Dq, queue: HybridQueue) -> None:
    first, second = put(queue, {"type": "x"}), put(queue, {"type": "x"})
    queue.cancel(first.task_id)
    answer = dq("tasks", "cancel", first.task_id, "nobody", second.task_id)
    assert answer.code == ExitCode.CONFLICT
    assert "is cancelled and cannot be cancelled" in answer.err
    assert "nobody" in answer.err
    assert queue.size() == 0


def test_a_dead_task_runs_again(dq: Dq, queue: HybridQueue) -> None:
    task = put_broken(queue)
    kill(queue, task)
    assert dq("tasks", "retry", task.task_id, "--json").json["items"][0]["status"] == "pending"
    assert dq("tasks", "retry", task.task_id).code == ExitCode.CONFLICT


def test_dead_letters_run_again_at_a_rate(dq: Dq, queue: HybridQueue) -> None:
    tasks = [put_broken(queue) for _ in range(3)]
    kill(queue, *tasks)
    done = dq("dead", "requeue", "--all", "--rate", "36/h")
    assert done.out == "3 dead letters requeued, the last one runs in 3m 20s\n"
    states = sorted(str(look(queue, task).status) for task in tasks)
    assert states == ["pending", "scheduled", "scheduled"]


@pytest.mark.parametrize("rate", ["fast", "0", "10/d", "1e3", "-1/s"])
def test_a_rate_that_makes_no_sense_is_refused(dq: Dq, rate: str) -> None:
    answer = dq("dead", "requeue", "--all", f"--rate={rate}")
    assert answer.code == ExitCode.USAGE
    assert "10/s" in answer.err


def test_a_dead_letter_is_shown_with_its_traceback(dq: Dq, queue: HybridQueue) -> None:
    task = put_broken(queue)
    kill(queue, task)
    assert "KeyError" in dq("dead", "list").out
    shown = dq("dead", "show", task.task_id)
    assert "Traceback" in shown.out
    assert "KeyError: 'missing'" in shown.out
    assert dq("dead", "list", "--json").json["items"][0]["reason"] == "failed"


def test_only_dead_letters_are_shown_as_such(dq: Dq, queue: HybridQueue) -> None:
    task = put(queue, {"type": "x"})
    assert dq("dead", "show", task.task_id).code == ExitCode.CONFLICT


def test_all_dead_letters_of_a_queue_are_requeued(dq: Dq, queue: HybridQueue) -> None:
    mail = [put_broken(queue, queue="mail") for _ in range(3)]
    other = put_broken(queue)
    kill(queue, *mail, other)
    assert dq("dead", "requeue", "--all", "--queue", "mail").out == "3 dead letters requeued\n"
    assert queue.size("mail") == 3
    assert dq("dead", "requeue", other.task_id, "--json").json == {"requeued": 1}
    assert dq("dead", "requeue", other.task_id).code == ExitCode.CONFLICT


def test_deleting_in_a_script_needs_a_yes(dq: Dq, queue: HybridQueue) -> None:
    tasks = [put_broken(queue), put(queue, {"type": "other"}, max_retries=0)]
    kill(queue, *tasks)
    refused = dq("dead", "delete", "--all")
    assert refused.code == ExitCode.USAGE
    assert "2 dead letters" in refused.err
    assert "--yes" in refused.err
    assert len(queue.get_dead_letters()) == 2
    assert dq("dead", "delete", "--all", "--type", "other", "--yes").out == "1 dead letter deleted\n"
    assert dq("dead", "delete", tasks[0].task_id, "--yes", "--json").json == {"deleted": 1}
    assert len(queue.get_dead_letters()) == 0


@pytest.mark.parametrize(("reply", "left"), [(True, 0), (False, 1)])
def test_on_a_terminal_it_asks(
    dq: Dq, queue: HybridQueue, monkeypatch: pytest.MonkeyPatch, reply: bool, left: int
) -> None:
    put(queue, {"type": "x"})
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: reply)
    assert dq("queues", "clear", "default").code == (0 if reply else 1)
    assert queue.size() == left
