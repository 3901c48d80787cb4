"""What handlers log by structlog: whose it is, what it hides, and that it is encoded once."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from distributed_queue.cli.logs import JsonFormatter, TextFormatter
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.observability.logs import Redaction, Repetitions, TaskContext, add_task
from distributed_queue.tests.steps import finished, put, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.core.task import Task

SECRET = "canary-7f3a91"


class Program:
    """A program whose standard library's logging is set up as that of ``dq worker`` is."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(JsonFormatter())
        self.handler.addFilter(Repetitions(most=2))
        self.handler.addFilter(TaskContext())
        self.logger = logging.getLogger(f"shop-{id(self)}")
        self.logger.propagate = False
        self.logger.addHandler(self.handler)
        self.logger.setLevel(logging.DEBUG)

    def log(self, *processors: Any) -> Any:
        """A logger of structlog, on top of the standard library's."""
        return structlog.wrap_logger(
            self.logger, processors=list(processors), wrapper_class=structlog.stdlib.BoundLogger
        )

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    yield program
    program.logger.removeHandler(program.handler)


LAST = {
    "a dictionary": structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    "keyword arguments": structlog.stdlib.render_to_log_kwargs,
}


def fail(text: str) -> None:
    raise ValueError(text)


def work(call: Callable[[Any], object]) -> Task:
    """Let a handler call something."""
    with HybridQueue() as queue, running(queue, handlers={"mail": call}):
        (task,) = finished(queue, [put(queue, {"type": "mail"}, queue="out")])
        return task


@pytest.mark.parametrize("last", LAST.values(), ids=LAST.keys())
def test_over_the_standard_library_a_line_is_one_object_with_its_task(program: Program, last: Any) -> None:
    log = program.log(structlog.stdlib.add_log_level, last).bind(customer="Hooli")
    task = work(lambda _: log.info("sent", number=3, api_key=SECRET, url=f"redis://u:{SECRET}@h/0"))
    (entry,) = program.entries
    assert (entry["event"], entry["level"], entry["logger"]) == ("sent", "info", program.logger.name)
    assert (entry["customer"], entry["number"], entry["api_key"]) == ("Hooli", 3, "[hidden]")
    assert (entry["task_id"], entry["task"], entry["queue"], entry["attempt"]) == (task.task_id, "mail", "out", 1)
    assert SECRET not in program.stream.getvalue()
    assert not [name for name in entry if name.startswith("_")]


@pytest.mark.parametrize("last", LAST.values(), ids=LAST.keys())
def test_an_exception_comes_with_its_traceback(program: Program, last: Any) -> None:
    log = program.log(last)
    try:
        fail(f"password={SECRET}")
    except ValueError as raised:
        log.exception("while it is handled")
        error = raised
    log.error("later", exc_info=error)
    assert [entry["event"] for entry in program.entries] == ["while it is handled", "later"]
    assert all("ValueError: password=[hidden]" in entry["exception"] for entry in program.entries)
    assert not [entry for entry in program.entries if "exc_info" in entry]


def test_repeated_errors_are_of_one_kind_whatever_their_values(program: Program) -> None:
    log = program.log(structlog.stdlib.ProcessorFormatter.wrap_for_formatter)
    for number in range(5):
        log.error("refused", number=number)
    assert [entry["number"] for entry in program.entries] == [0, 1]


def test_text_shows_the_values_behind_the_event(program: Program) -> None:
    program.handler.setFormatter(TextFormatter())
    log = program.log(structlog.stdlib.ProcessorFormatter.wrap_for_formatter)
    log.warning("refused", number=3, token=SECRET)
    assert program.stream.getvalue().endswith(f"{program.logger.name}: refused number=3 token='[hidden]'\n")


def test_without_the_standard_library_processors_do_the_same() -> None:
    stream = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            add_task,
            structlog.processors.format_exc_info,
            Redaction([SECRET]).processor,
            structlog.processors.JSONRenderer(),
        ],
    )

    def send(_: Any) -> None:
        try:
            fail(f"refused {SECRET}")
        except ValueError:
            log.exception("not sent", password="x", deep=[{"token": "y"}], task="mine")

    task = work(send)
    entry = json.loads(stream.getvalue())
    assert (entry["task_id"], entry["queue"], entry["attempt"]) == (task.task_id, "out", 1)
    assert entry["task"] == "mine", "what the call says itself stays"
    assert entry["password"] == "[hidden]"
    assert entry["deep"] == [{"token": "[hidden]"}]
    assert "ValueError: refused [hidden]" in entry["exception"]


def test_an_exception_that_a_later_processor_formats_reaches_it() -> None:
    stream = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[Redaction().processor, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
    )
    try:
        fail("seen")
    except ValueError:
        log.exception("not sent")
    assert "ValueError: seen" in json.loads(stream.getvalue())["exception"]


def test_outside_of_handlers_nothing_is_added() -> None:
    assert add_task(None, "info", {"event": "x"}) == {"event": "x"}
