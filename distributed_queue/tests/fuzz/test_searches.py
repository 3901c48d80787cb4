"""What lists are asked for, in the search field and in addresses: an answer, or a refusal that says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distributed_queue.api import create_app
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.dashboard.search import Search, parse_search
from distributed_queue.errors import InvalidInput
from distributed_queue.tests.security.inprocess import InProcess
from distributed_queue.tests.surfaces.dashboard_server import site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.tests.surfaces.dashboard_server import Site

typed = st.text(max_size=40) | st.lists(
    st.sampled_from(
        [
            "queue:",
            "type:",
            "status:",
            "error:",
            "created>",
            "id:",
            "STATUS:",
            "colour:",
            '"',
            ":",
            "dead",
            "a b",
            "1",
            " ",
            "\t",
            "é",
        ]
    ),
    max_size=8,
).map("".join)
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"'), min_size=1, max_size=30).filter(
    lambda value: value.strip() == value
)
patient = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@given(text=typed)
def test_what_someone_types_is_understood_as_it_is_written_back_or_refused(text: str) -> None:
    try:
        search = parse_search(text)
    except InvalidInput:
        return
    assert parse_search(search.text()) == Search._make(part or None for part in search)


@given(
    search=st.tuples(
        st.none() | st.from_regex(r"[A-Za-z0-9._-]{1,100}", fullmatch=True),
        plain,
        st.none() | st.sampled_from(TaskStatus),
    ).map(lambda parts: Search(queue=parts[0], type=parts[1], status=parts[2]))
)
def test_a_search_is_read_back_as_it_is_written(search: Search) -> None:
    assert parse_search(search.text()) == search


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site() as shown:
        yield shown


PAGES = ("/tasks", "/journal", "/submit", "/worker", "/sign-in", "/tasks/x", "/charts", "/dead")
NAMES = ("q", "cursor", "queue", "event", "id", "from", "next", "notice")


@given(page=st.sampled_from(PAGES), query=st.dictionaries(st.sampled_from(NAMES), typed, max_size=3))
@patient
def test_no_query_breaks_a_page(here: Site, page: str, query: dict[str, str]) -> None:
    answer = here.client.get(page, params=query, follow_redirects=False)
    assert answer.status_code in {200, 303, 400, 404}, answer.text


@pytest.fixture(scope="module")
def api() -> Iterator[InProcess]:
    with HybridQueue() as queue, InProcess(create_app(queue)) as asked:
        yield asked


@given(
    path=st.sampled_from(("/tasks", "/dead-letters", "/tasks/x", "/stats", "/queues", "/workers")),
    query=st.dictionaries(
        st.sampled_from(("queue", "status", "type", "limit", "cursor", "wait", "traceback")),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
        | st.sampled_from(["nan", "-1", "1e999", "dead", "0"]),
        max_size=3,
    ),
)
@patient
def test_no_filter_breaks_the_api(api: InProcess, path: str, query: dict[str, str]) -> None:
    answer = api.ask("GET", f"/api/v1{path}", params=query)
    assert answer.status in {200, 400, 404, 422}, answer.body
