"""Event streams: everything that happens, in order, resumed without loss."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from distributed_queue.errors import StorageUnavailable
from distributed_queue.tests.steps import LIMIT, eventually, put, take
from distributed_queue.tests.surfaces.api_server import API, Api, dead_letters, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.core.storage import JournalEntry


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as served:
        yield served


class Event(NamedTuple):
    """One event, as a client gets it."""

    name: str
    data: Any
    id: str


class Stream:
    """A client of the event stream, as simple as the standard allows."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self._lines = response.iter_lines()

    def lines(self) -> list[str]:
        """The next block."""
        block: list[str] = []
        for line in self._lines:
            if not line:
                return block
            block.append(line)
        raise StopIteration

    def next(self) -> Event:
        """The next event that has data."""
        while True:
            fields = dict(line.split(": ", 1) for line in self.lines() if not line.startswith(":"))
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                return Event(fields["event"], json.loads(fields["data"]), self.last_id)

    def take(self, count: int) -> list[Event]:
        return [self.next() for _ in range(count)]


@contextmanager
def stream(api: Api, last_id: str | None = None, **parameters: Any) -> Iterator[Stream]:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    with api.client.stream("GET", "/events", params=parameters, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["cache-control"].startswith("no-")
        opened = Stream(response)
        first = opened.lines()
        assert "retry: 2000" in first
        opened.last_id = next(line for line in first if line.startswith("id: "))[4:]
        yield opened


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def test_a_task_is_seen_through_its_life(api: Api) -> None:
    with stream(api) as events:
        task = api.submit("x")
        taken = take(api.queue, "worker-7")
        api.queue.mark_completed(taken.task_id)
        seen = events.take(3)
    assert names(seen) == ["task.enqueued", "task.claimed", "task.completed"]
    claimed = seen[1].data
    assert claimed["task_id"] == task["task_id"]
    assert (claimed["queue"], claimed["attempt"], claimed["detail"]) == ("default", 1, "worker-7")
    assert claimed["event"] == "task.claimed"
    assert claimed["at"].endswith("Z")
    assert seen[0].data["position"] < claimed["position"] < seen[2].data["position"]


def test_changes_of_a_queue_are_events_too(api: Api) -> None:
    with stream(api) as events:
        api.post("/queues/default/pause")
        api.post("/queues/default/resume")
        api.client.patch("/queues/default", json={"max_size": 5})
        api.submit("x")
        api.client.delete("/queue/clear")
        seen = events.take(5)
    assert names(seen) == ["queue.paused", "queue.resumed", "queue.configured", "task.enqueued", "queue.cleared"]
    assert seen[0].data["task_id"] is None


def test_a_stream_begins_now(api: Api) -> None:
    api.submit("before")
    with stream(api) as events:
        after = api.submit("after")
        assert events.next().data["task_id"] == after["task_id"]


def test_one_queue_is_followed_where_one_is_named(api: Api) -> None:
    with stream(api, queue="b") as events:
        for name in ("a", "b", "a", "b"):
            api.submit(name, queue=name)
        assert {event.data["queue"] for event in events.take(2)} == {"b"}


def test_several_queues_are_followed_where_several_are_named(api: Api) -> None:
    with stream(api, queue=["b", "c"]) as events:
        for name in ("a", "b", "c"):
            api.submit(name, queue=name)
        assert {event.data["queue"] for event in events.take(2)} == {"b", "c"}


def test_a_queue_that_comes_later_is_followed_from_its_beginning(api: Api) -> None:
    with stream(api) as events:
        ids = [api.submit(number, queue="fresh")["task_id"] for number in range(3)]
        seen = [event for event in events.take(3) if event.data["queue"] == "fresh"]
    assert [event.data["task_id"] for event in seen] == ids


@pytest.mark.parametrize("queues", [["default"], ["default", "other"], None])
def test_a_stream_is_resumed_at_every_event_without_loss_or_repetition(api: Api, queues: list[str] | None) -> None:
    api.submit("warm up", queue="other")
    parameters: dict[str, Any] = {} if queues is None else {"queue": queues}
    with stream(api, **parameters) as events:
        start = events.last_id
        for number in range(2):
            api.post("/tasks/batch", {"tasks": [{"payload": number}] * 4})
            if queues != ["default"]:
                api.submit(number, queue="other")
        count = 8 if queues == ["default"] else 10
        everything = events.take(count)
    for already in range(count):
        last_id = everything[already - 1].id if already else start
        with stream(api, last_id, **parameters) as events:
            again = events.take(count - already)
        before = {(event.data["queue"], event.data["task_id"]) for event in everything[:already]}
        after = [(event.data["queue"], event.data["task_id"]) for event in again]
        assert len(after) == len(set(after))
        assert not before & set(after)


def test_what_happened_while_a_client_was_away_is_made_up_for(api: Api) -> None:
    with stream(api) as events:
        api.submit("seen")
        last_id = events.next().id
    missed = [api.submit(number, queue=name)["task_id"] for number, name in enumerate(["default", "new", "default"])]
    with stream(api, last_id) as events:
        assert {event.data["task_id"] for event in events.take(3)} == set(missed)


def test_a_client_that_comes_back_to_a_new_journal_is_told_of_the_gap(api: Api) -> None:
    api.submit("x")
    with stream(api, "default:1000") as events:
        gap, first = events.take(2)
    assert gap.name == "gap"
    assert gap.data == {"queue": "default", "first": 1001, "last": None}
    assert first.name == "task.enqueued"


def test_a_gap_can_be_resumed_from_like_any_event(api: Api) -> None:
    for number in range(3):
        api.submit(number, queue="a")
        api.submit(number, queue="b")
    with stream(api, "a:1000,b:2", queue=["a", "b"]) as events:
        gap = events.next()
    assert gap.name == "gap"
    with stream(api, gap.id, queue=["a", "b"]) as events:
        seen = [(event.data["queue"], event.data["position"]) for event in events.take(4)]
    assert sorted(seen) == [("a", 1), ("a", 2), ("a", 3), ("b", 3)]


def test_entries_that_were_trimmed_are_a_gap(api: Api) -> None:
    api.queue.configure(journal_max_bytes=400)
    for number in range(20):
        api.submit(number)
    with stream(api, "default:1", queue="default") as events:
        gap, first = events.take(2)
    assert gap.name == "gap"
    assert gap.data["first"] == 2
    assert gap.data["last"] == first.data["position"] - 1
    assert gap.id == f"default:{gap.data['last']}"


@pytest.mark.parametrize("last_id", ["x", "default", "default:", "default:-1", "a b:1", "default:1,", "default:1.x"])
def test_an_id_of_something_else_is_refused(api: Api, last_id: str) -> None:
    response = api.client.get("/events", headers={"Last-Event-ID": last_id})
    assert api.problem(response, 422, "invalid-request")["errors"][0]["header"] == "Last-Event-ID"


def test_a_bad_queue_name_is_refused(api: Api) -> None:
    api.problem(api.client.get("/events", params={"queue": "a b"}), 422, "invalid-request")


def test_many_streams_see_the_same(api: Api) -> None:
    with stream(api) as first, stream(api) as second, stream(api, queue="default") as third:
        ids = [api.submit(number)["task_id"] for number in range(5)]
        for events in (first, second, third):
            assert [event.data["task_id"] for event in events.take(5)] == ids


def test_streams_share_their_followers(api: Api) -> None:
    def followers() -> int:
        return sum(thread.name == "dq-events-shared" for thread in threading.enumerate())

    with stream(api, queue="shared"), stream(api, queue="shared"), stream(api, queue="shared"):
        assert followers() == 1
    put(api.queue, queue="shared")
    eventually(lambda: followers() == 0)


def test_only_so_many_streams_are_open() -> None:
    with serve(max_streams=2) as api:
        with stream(api), stream(api):
            response = api.client.get("/events")
            api.problem(response, 503, "too-many-streams")
            assert response.headers["retry-after"]

        def open_again() -> bool:
            with api.client.stream("GET", "/events") as response:
                return response.status_code == 200

        eventually(open_again)


def test_only_so_many_queues_are_followed() -> None:
    with serve(max_stream_queues=2) as api:
        names = ["a", "b", "c"]
        problem = api.problem(api.client.get("/events", params={"queue": names}), 422, "invalid-request")
        assert "?queue=" in problem["detail"]
        with stream(api) as events:
            for name in names:
                api.submit("x", queue=name)
            seen = events.take(3)
        assert "gap" in [event.name for event in seen]


def test_an_idle_stream_says_that_it_lives() -> None:
    with serve(ping_seconds=0.1) as api, stream(api) as events:
        assert events.lines() == [": ping"]
        assert events.lines() == [": ping"]
        api.submit("x")
        assert events.next().name == "task.enqueued"


def test_a_client_that_takes_nothing_is_dropped_and_others_go_on() -> None:
    with serve(stall_seconds=0.3, max_streams=2) as api, stream(api) as lively:
        with (
            httpx.Client(timeout=LIMIT, trust_env=False) as other,
            other.stream("GET", f"{api.url}{API}/events") as stuck,
        ):
            assert stuck.status_code == 200
            api.post("/tasks/batch", {"tasks": [{"payload": 0}] * 10_000})
            api.post("/tasks/batch", {"tasks": [{"payload": 0}] * 10_000})
            assert len(lively.take(20_000)) == 20_000
            feed = api.app.state.services.feed
            eventually(lambda: len(feed._streams) == 1)
        api.submit("still here")
        assert lively.next().name == "task.enqueued"


def test_a_stream_survives_that_the_storage_is_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = api.queue.storage
    journal = storage.journal
    away = threading.Event()

    def sometimes(queue: str, after: int, limit: int, timeout: float = 0.0) -> list[JournalEntry]:
        if away.is_set():
            raise StorageUnavailable("memory://", "away")
        return journal(queue, after, limit, min(timeout, 0.05))

    monkeypatch.setattr(storage, "journal", sometimes)
    with stream(api) as events:
        away.set()
        ids = [api.submit(number)["task_id"] for number in range(3)]
        away.clear()
        assert [event.data["task_id"] for event in events.take(3)] == ids


def test_deaths_say_why(api: Api) -> None:
    with stream(api) as events:
        dead_letters(api, 1)
        dead = events.take(3)[-1]
    assert dead.name == "task.dead"
    assert dead.data["detail"] == "failed"


def test_a_head_request_does_not_open_a_stream(api: Api) -> None:
    assert api.client.head("/events").status_code == 405
