"""The requests in the documents are answered as the documents say: a line ``# → 201`` follows each ``curl``.

The commands are carried out by a client of ours, since not every machine has ``curl``.
"""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from distributed_queue.tests.meta.repository import DOCS, ROOT, shown
from distributed_queue.tests.surfaces.programs import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = [ROOT / "README.md", DOCS / "guides" / "rest.md"]

_COMMAND = re.compile(r"^(?P<command>curl (?:.*\\\n)*.*)\n# → (?P<status>\d{3})$", re.MULTILINE)


class Request(NamedTuple):
    """A ``curl`` of a page, and the status that the page says it is answered with."""

    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    status: int


def requests(page: Path) -> Iterator[Request]:
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="body")
    parser.add_argument("address")
    for match in _COMMAND.finditer(page.read_text()):
        _, *arguments = shlex.split(match["command"].replace("\\\n", " "))
        given = parser.parse_args(arguments)
        headers = dict(header.split(": ", 1) for header in given.headers)
        method = given.method or ("GET" if given.body is None else "POST")
        path = given.address.removeprefix("localhost:8000")
        yield Request(method, path, headers, given.body, int(match["status"]))


@pytest.fixture
def server(tmp_path: Path, sqlite_url: str) -> Iterator[httpx.Client]:
    """A client of a server as ``make run`` starts it."""
    with Program(tmp_path, "serve", "--port", "0", "--storage-url", sqlite_url) as program:
        address = program.says("API  ").split()[1].removesuffix("/docs")
        with httpx.Client(base_url=address, timeout=30) as client:
            yield client
        assert program.stop() == 0


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_requests_are_answered_as_the_page_says(page: Path, server: httpx.Client) -> None:
    asked = list(requests(page))
    assert asked
    for method, path, headers, body, status in asked:
        answer = server.request(method, path, headers=headers, content=body)
        assert (method, path, answer.status_code) == (method, path, status), answer.text


def test_the_first_task_of_the_guide_is_done(server: httpx.Client) -> None:
    submit, look, *_ = requests(DOCS / "guides" / "rest.md")
    server.request(submit.method, submit.path, headers=submit.headers, content=submit.body)
    task = server.get(look.path).json()
    assert (task["status"], task["result"]) == ("completed", "Completed: Hello World")
