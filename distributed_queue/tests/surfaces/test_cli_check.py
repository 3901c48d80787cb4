"""``dq check``: histories are judged, and what is wrong with a file is said with its line."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.testing.proof import HistoryWriter
from distributed_queue.testing.proof.records import Drained, Effect, Final, Journalled, Settings, Submit, SubmittedTask
from distributed_queue.tests.surfaces.programs import call

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.testing.proof.records import Record

KEPT: list[Record] = [
    Settings(queue="mail"),
    Submit(process="client", call=1, phase="call", queue="mail", tasks=[SubmittedTask("a", 5)]),
    Submit(process="client", call=1, phase="ok", stored=[True]),
    Effect(process="worker", queue="mail", id="a", attempt=1, step="start", at=1.0),
    Journalled(queue="mail", position=1, at=0.0, changes=[("enqueued", "a", 0, "")]),
    Journalled(queue="mail", position=2, at=1.0, changes=[("claimed", "a", 1, "worker")]),
    Journalled(queue="mail", position=3, at=2.0, changes=[("completed", "a", 1, "")]),
    Final(queue="mail", id="a", status="completed", attempt=1),
    Drained(queue="mail"),
]
LOST: list[Record] = [record for record in KEPT if not isinstance(record, Final)]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def write(path: Path, records: list[Record]) -> str:
    HistoryWriter(path).write(*records)
    return str(path)


def test_a_kept_history_is_said_to_be_kept(capsys: pytest.CaptureFixture[str], history: Path) -> None:
    answer = call(capsys, "check", write(history, KEPT))
    assert answer.code == ExitCode.OK
    assert "Every promise was kept." in answer.out
    assert ["acknowledged", "1"] in [row.split() for row in answer.out.splitlines()]


def test_a_broken_promise_is_named_with_its_task(capsys: pytest.CaptureFixture[str], history: Path) -> None:
    answer = call(capsys, "check", write(history, LOST))
    assert answer.code == ExitCode.FAILURE
    assert "1 promise broken: lost 1" in answer.out
    assert ["lost", "mail", "a"] in [row.split()[:3] for row in answer.out.splitlines()]


def test_scripts_get_json(capsys: pytest.CaptureFixture[str], history: Path) -> None:
    answer = call(capsys, "check", write(history, LOST), "--json")
    assert answer.code == ExitCode.FAILURE
    assert (answer.json["ok"], answer.json["counts"], answer.json["tasks"]) == (False, {"lost": 1}, 1)


def test_a_history_in_several_files_some_packed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first, second = tmp_path / "client.jsonl", tmp_path / "dump.jsonl.gz"
    write(first, KEPT[:4])
    second.write_bytes(gzip.compress((tmp_path / write(tmp_path / "rest.jsonl", KEPT[4:])).read_bytes()))
    assert call(capsys, "check", str(second), str(first)).code == ExitCode.OK


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("history.jsonl", b'{"kind":"drained","queue":"q"}\nnonsense\n', "history.jsonl:2 is not a record"),
        ("history.jsonl", b'{"kind":"final","queue":"q"}\n', "history.jsonl:1 is not a record"),
        ("history.jsonl.gz", b"not packed", "gzipped"),
        ("history.jsonl.gz", gzip.compress(b"{}" * 1000)[:-9], "end-of-stream"),
        ("history.jsonl.zst", b"", "zstd -d"),
    ],
    ids=["not JSON", "no record", "not packed", "cut off", "packed otherwise"],
)
def test_what_is_not_a_history_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    answer = call(capsys, "check", str(path))
    assert answer.code == ExitCode.USAGE
    assert said in answer.err


def test_a_file_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call(capsys, "check", str(tmp_path / "none.jsonl")).code == ExitCode.USAGE
