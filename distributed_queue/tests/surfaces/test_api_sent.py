"""The short way of reading a submission takes nothing that the models refuse, and means the same by what it takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distributed_queue.api.models.sent import UNFIT, BatchSent, TaskSent
from distributed_queue.api.models.tasks import BatchIn, TaskIn
from distributed_queue.core.task import Task
from distributed_queue.tests.surfaces.api_server import Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = {"Content-Type": "application/json"}
ID = "the-id"

texts = st.text(max_size=5) | st.sampled_from(("a", "mail", "a\n", "x" * 101, "a:b", "é", "", "\x00"))
numbers = st.integers() | st.floats(allow_nan=False) | st.sampled_from((0, -0.0, 5.0, 1000, 1001, 2**64, 2**63, 1e300))
values = st.none() | st.booleans() | numbers | texts
trees = st.recursive(values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
names = ("priority", "queue", "execute_after", "delay", "max_retries", "timeout", "expires_at", "task_id", "retry", "x")
tasks = st.builds(
    lambda payload, more: {"payload": payload, **more},
    trees,
    st.dictionaries(st.sampled_from(names), values, max_size=3),
)
scraps = st.sampled_from(
    ("{", "}", "[", "]", ",", ":", '"', "\\", "\\ud800", "0", "-", ".", "e", "NaN", "null", " ", "\t", "é")
)

read_task, read_batch = msgspec.json.Decoder(TaskSent).decode, msgspec.json.Decoder(BatchSent).decode


def agree(text: str) -> None:
    """Fail where the short way takes what the model does not, or as something else."""
    body = text.encode()
    try:
        sent = read_task(body)
    except UNFIT:
        return
    assert repr(sent.task(ID)) == repr(TaskIn.model_validate_json(body).task(ID))


@given(tasks)
@example({"payload": 2**64, "queue": "a\n"})
def test_it_agrees_on_tasks(task: dict[str, Any]) -> None:
    agree(json.dumps(task))


@given(tasks, st.integers(0, 200), scraps, st.booleans())
def test_it_agrees_on_what_is_hardly_json(task: dict[str, Any], place: int, scrap: str, replaces: bool) -> None:
    text = json.dumps(task, ensure_ascii=False)
    agree(text[:place] + scrap + text[place + replaces :])


@given(st.lists(tasks, max_size=3))
def test_it_agrees_on_batches(batch: list[dict[str, Any]]) -> None:
    body = json.dumps({"tasks": batch}).encode()
    try:
        sent = read_batch(body)
    except UNFIT:
        return
    found = [each.task(ID) for each in sent.tasks]
    assert repr(found) == repr([each.task(ID) for each in BatchIn.model_validate_json(body).tasks])


def test_it_takes_what_mostly_comes() -> None:
    every = {
        "payload": {"type": "mail", "data": [1, 2.5, None]},
        "priority": 5,
        "queue": "mail",
        "execute_after": 1.5,
        "delay": 2,
        "max_retries": 0,
        "timeout": 0.5,
        "expires_at": 9e9,
        "task_id": "a:b",
    }
    task = read_task(json.dumps(every).encode()).task()
    assert isinstance(task, Task)
    assert {name: getattr(task, name) for name in every} == every


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


def test_json_nested_beyond_all_bounds_is_no_json(api: Api) -> None:
    deep = "[" * 500 + "]" * 500
    for path, body in (("/tasks", f'{{"payload":{deep}}}'), ("/tasks/batch", f'{{"tasks":[{{"payload":{deep}}}]}}')):
        problem = api.problem(api.client.post(path, content=body, headers=JSON), 422, "invalid-json")
        assert "nested deeper" in problem["detail"]
