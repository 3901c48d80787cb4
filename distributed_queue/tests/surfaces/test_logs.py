"""Log lines: whose they are, what they hide, and how many of them there are."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.cli.logs import JsonFormatter, TextFormatter
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.observability.logs import Redaction, Repetitions, TaskContext, passwords
from distributed_queue.tests.steps import finished, put, running
from distributed_queue.tests.surfaces.programs import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "canary-7f3a91"
HANDLERS = f"""
import logging
logger = logging.getLogger("mine")

def leak(data):
    logger.warning("connecting to redis://app:{SECRET}@host/0 with password={SECRET}", extra={{"api_key": "{SECRET}"}})
    logger.error("headers: %s", {{"Authorization": "Bearer {SECRET}", "harmless": "seen"}})
    raise ValueError("token: {SECRET}")

handlers = {{"leak": leak}}
"""


class Sink:
    """A logger of its own, and what came out at the end."""

    def __init__(self, *filters: logging.Filter) -> None:
        self._stream = io.StringIO()
        self.logger = logging.Logger("sink")  # noqa: LOG001 - nobody else is to have it
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(JsonFormatter())
        for each in filters:
            handler.addFilter(each)
        self.logger.addHandler(handler)

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def sink() -> Sink:
    return Sink(TaskContext())


def test_lines_of_a_handler_tell_its_task(sink: Sink) -> None:
    async def later(data: object) -> None:
        sink.logger.info("later")

    with (
        HybridQueue() as queue,
        running(queue, handlers={"now": lambda _: sink.logger.info("now"), "later": later}),
    ):
        tasks = [put(queue, {"type": kind}, queue="mail") for kind in ("now", "later")]
        finished(queue, tasks)
    sink.logger.info("outside")
    told = {entry["event"]: entry for entry in sink.entries}
    for task in tasks:
        entry = told[task.type]
        assert (entry["task_id"], entry["queue"], entry["attempt"]) == (task.task_id, "mail", 1)
        assert entry["task"] == task.type
    assert "task_id" not in told["outside"]


@pytest.fixture(params=["text", "json"])
def leaking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    (tmp_path / "leaking.py").write_text(HANDLERS)
    url = f"sqlite:///{tmp_path}/queue.db"
    with HybridQueue.from_url(url) as queue:
        put(queue, {"type": "leak"}, task_id="leaks", max_retries=0)
        with Program(
            tmp_path, "worker", "leaking", "--burst", API_KEY=SECRET, DQ_STORAGE_URL=url, DQ_LOG_FORMAT=request.param
        ) as program:
            yield program


def test_secrets_that_a_handler_logs_are_hidden(leaking: Program) -> None:
    assert leaking.ends() == 0
    assert "seen" in leaking.output
    assert "leaks" in leaking.output
    assert leaking.output.count("[hidden]") >= 4
    assert SECRET not in leaking.output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter22 next", "password=[hidden] next"),
        ('{"api_key": "abc123", "a": 1}', '{"api_key": "[hidden]", "a": 1}'),
        ("X-API-Key: abc123", "X-API-Key: [hidden]"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"),
        ("DB_PASSWORD=abc", "DB_PASSWORD=[hidden]"),
        ("Pa\u017f\u017fword=abc, private-KEY: abc", "Pa\u017f\u017fword=[hidden], private-KEY: [hidden]"),
        ("credentials=abc cookie=abc dsn=abc", "credentials=[hidden] cookie=[hidden] dsn=[hidden]"),
        ("postgresql://u:p%40ss@host/db", "postgresql://u:[hidden]@host/db"),
        ("the token 3 is old, and passwords are fine", "the token 3 is old, and passwords are fine"),
        ("compass: north, http://host:80/a@b", "compass: north, http://host:80/a@b"),
    ],
)
def test_what_stands_behind_the_name_of_a_secret_is_hidden(text: str, shown: str) -> None:
    assert Redaction().text(text) == shown


def test_known_secrets_are_hidden_wherever_they_stand() -> None:
    redaction = Redaction(["key-of-mine", "ab", *passwords("redis://:p%40ssword@h", None, "nonsense://[")])
    assert redaction.text("(key-of-mine) p@ssword p%40ssword cab") == "([hidden]) [hidden] [hidden] cab"
    found = redaction.value({"deep": [{"x": "key-of-mine"}], "client_secret": 7, "n": 1})
    assert found == {"deep": [{"x": "[hidden]"}], "client_secret": "[hidden]", "n": 1}


def test_repeated_errors_are_left_out_and_counted() -> None:
    now = [0.0]
    sink = Sink(Repetitions(most=3, seconds=10, monotonic=lambda: now[0]))
    for number in range(10):
        sink.logger.error("task %d failed", number)
        sink.logger.info("task %d began", number)
    sink.logger.warning("something else")
    events = [entry["event"] for entry in sink.entries]
    assert [event for event in events if "failed" in event] == [f"task {number} failed" for number in range(3)]
    assert sum("began" in event for event in events) == 10
    assert "something else" in events
    now[0] = 10.0
    sink.logger.error("task %d failed", 10)
    sink.logger.error("task %d failed", 11)
    assert [entry.get("repeated") for entry in sink.entries[-2:]] == [7, None]


def test_text_shows_what_filters_added() -> None:
    record = logging.makeLogRecord({"name": "mine", "levelname": "INFO", "msg": "said", "task_id": "t1", "attempt": 2})
    assert TextFormatter().format(record).endswith("INFO    mine: said task_id=t1 attempt=2")
