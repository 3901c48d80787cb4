"""What ``dq`` prints: safe on a terminal, plain in a pipe, JSON where it is asked for."""

from __future__ import annotations

import json
import logging
import os
import pty
import select
import signal
import subprocess
import sys
import time
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.cli.logs import JsonFormatter, TextFormatter
from distributed_queue.cli.output import Output
from distributed_queue.cli.progress import progress
from distributed_queue.cli.text import duration, json_text, one_line, plural, visible
from distributed_queue.cli.welcome import storage_place
from distributed_queue.tests.surfaces.programs import COMMAND, LIMIT, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

ESCAPE = "\x1b[31mred\x07\x9b2J\u202eevil"


def test_what_could_steer_a_terminal_is_written_out() -> None:
    assert visible(ESCAPE) == "\\x1b[31mred\\x07\\x9b2J\\u202eevil"
    assert visible("a\nb\tc\rd") == "a\\nb\\tc\\rd"
    assert visible("a\nb\tc\rd", lines=True) == "a\nb\tc\\rd"
    assert visible("grüße 你好 😀") == "grüße 你好 😀"


def test_json_stays_json_and_is_safe_too() -> None:
    value = {"text": ESCAPE, "lone": "\ud800", "plain": "grüße"}
    text = json_text(value)
    assert json.loads(text) == value
    assert "grüße" in text
    assert not any(sign in text for sign in "\x1b\x07\x9b\u202e\ud800")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("text", "text"), (12, "12"), ({"a": [1, None]}, '{"a": [1, null]}'), ("a\nb", "a\\nb")],
)
def test_a_value_in_a_cell_is_on_one_line(value: Any, text: str) -> None:
    assert one_line(value) == text


def test_a_long_value_is_cut_where_there_is_a_limit() -> None:
    assert one_line("x" * 100, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-1, "0ms"),
        (0.0123, "12ms"),
        (1, "1s"),
        (4.25, "4.2s"),
        (59.9, "59s"),
        (60, "1m"),
        (303, "5m 3s"),
        (7500, "2h 5m"),
        (3600, "1h"),
        (3610, "1h"),
        (86_400 * 3 + 4 * 3600, "3d 4h"),
    ],
)
def test_durations_are_in_the_units_of_people(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_nouns_agree_with_their_number() -> None:
    assert [plural(count, "task") for count in (0, 1, 2000)] == ["0 tasks", "1 task", "2,000 tasks"]


def test_a_table_in_a_pipe_is_plain_and_complete(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("ID", "NOTE"), [("a", "x" * 200), ("longer", ESCAPE)])
    header, first, second = capsys.readouterr().out.splitlines()
    assert header == "ID      NOTE"
    assert first == "a       " + "x" * 200
    assert second == "longer  " + visible(ESCAPE)


def test_a_table_on_a_terminal_has_no_escape_of_a_payload(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    Output().table(("ID", "STATUS"), [(ESCAPE, "dead"), ("[bold]no markup[/bold]", "completed")])
    printed = capsys.readouterr().out
    assert "\\x1b[31mred" in printed
    assert "[bold]no markup[/bold]" in printed
    assert "\x07" not in printed
    assert "\x1b[3" not in printed


def test_colours_are_left_out_where_they_are_not_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Output().error("it broke", "mend it")
    assert capsys.readouterr().err == "Error: it broke\nHint: mend it\n"


def test_fields_without_a_value_are_left_out_and_long_texts_keep_their_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Output().record([("name", "x"), ("none", None), ("traceback", "one\ntwo\x1b")])
    assert capsys.readouterr().out == "name       x\ntraceback  one\n           two\\x1b\n"


def test_progress_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Working", 10) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def test_progress_is_shown_on_a_terminal_after_a_second(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "bench", "--storage-url", "memory://", "--tasks", "10000000"]
    process = subprocess.Popen(command, cwd=tmp_path, env=clean_environment(tmp_path), stderr=theirs, stdout=PIPE)
    try:
        shown = b""
        while "━".encode() not in shown:
            assert select.select([ours], [], [], LIMIT)[0], shown
            shown += os.read(ours, 4096)
        assert b"Enqueue one by one" in shown
        process.send_signal(signal.SIGINT)
        end = time.monotonic() + LIMIT
        while process.poll() is None and time.monotonic() < end:
            if select.select([ours], [], [], 0.05)[0]:  # a terminal that nobody reads would hold it up
                os.read(ours, 4096)
        assert process.communicate(timeout=LIMIT)[0] == b""
        assert process.returncode == ExitCode.INTERRUPTED
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
        os.close(theirs)


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "distributed_queue.worker", "levelno": 30, "levelname": "WARNING"})
    made.msg, made.args = message, arguments
    made.__dict__.update(extra)
    return made


def test_a_log_line_cannot_be_forged() -> None:
    line = TextFormatter().format(record("task %s", "x\n12:00:00 ERROR worker: forged\x1b[2J"))
    assert "\n" not in line
    assert "\x1b" not in line
    assert line.endswith("WARNING worker: task x\\n12:00:00 ERROR worker: forged\\x1b[2J")


def test_a_log_line_for_collectors_is_an_object() -> None:
    entry = json.loads(JsonFormatter().format(record("ready at %s", "here", url="http://x")))
    assert entry["event"] == "ready at here"
    assert (entry["level"], entry["logger"], entry["url"]) == ("warning", "distributed_queue.worker", "http://x")
    assert entry["timestamp"].endswith("Z")


def test_tracebacks_are_in_both_kinds_of_log() -> None:
    with pytest.raises(ValueError, match="broken") as caught:
        raise ValueError("broken \x1b")
    failed = record("failed", exc_info=(caught.type, caught.value, caught.tb))
    assert "ValueError: broken \\x1b" in TextFormatter().format(failed)
    assert "ValueError: broken" in json.loads(JsonFormatter().format(failed))["exception"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("sqlite:////data/queue.db", "/data/queue.db"),
        ("sqlite:////data/queue.db?synchronous=NORMAL", "/data/queue.db"),
        ("sqlite:////data/with%20space/queue.db", "/data/with space/queue.db"),
        ("redis://:***@host:6379/0", "redis://:***@host:6379/0"),
        ("memory://", "memory://"),
    ],
)
def test_the_place_of_the_tasks_is_shown_as_one_looks_for_it(url: str, place: str) -> None:
    assert storage_place(url) == place
