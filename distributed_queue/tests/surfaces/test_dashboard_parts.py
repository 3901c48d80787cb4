"""The parts of the dashboard that decide: search, figures, problems, fingerprints, trees and snippets."""

from __future__ import annotations

import hashlib
import json
import shlex
from importlib import resources
from typing import Any

import pytest

from distributed_queue.core.durability import Durability, Promise
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import QueueConfig, QueueStats, StorageHealth, WorkerInfo
from distributed_queue.core.task import Task
from distributed_queue.dashboard import formats, snippets
from distributed_queue.dashboard.fingerprints import Sorter, fingerprint, in_common
from distributed_queue.dashboard.search import Search, moment, parse_search
from distributed_queue.dashboard.tree import MAX_NODES, make_tree
from distributed_queue.errors import InvalidInput
from distributed_queue.observability.problems import BAD, find_problems
from distributed_queue.observability.rates import rates_of
from distributed_queue.observability.sampler import POINT_SECONDS, Sample, Sampler

TRACEBACK = 'Traceback (most recent call last):\n  File "/app/shop/mail.py", line {line}, in send\n    raise\n'


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("", Search()),
        ("  queue:mail  status:DEAD ", Search(queue="mail", status=TaskStatus.DEAD)),
        ('type:"send mail"', Search(type="send mail")),
        ("01a2122c-ee21-7efa-b932-0b0fe1e8dd72", Search(id="01a2122c-ee21-7efa-b932-0b0fe1e8dd72")),
        ("id:cron:1:2", Search(id="cron:1:2")),
        ("order4711:paid", Search(id="order4711:paid")),
        ('error:"no such user" created>2h', Search(error="no such user", after="2h")),
        ("created:>2026-03-29 created<2026-03-30T12:00Z", Search(after="2026-03-29", before="2026-03-30T12:00Z")),
    ],
)
def test_a_search_says_what_to_look_for(text: str, search: Search) -> None:
    assert parse_search(text) == search
    assert parse_search(search.text()) == search


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", 86_310.0),
        ("1.5h", 81_000.0),
        ("1d", 0.0),
        ("1970-01-02", 86_400.0),
        ("1970-01-01T01:00Z", 3600.0),
        ("1970-01-01T01:00+01:00", 0.0),
    ],
)
def test_a_moment_is_an_age_or_a_date_in_utc(text: str, at: float) -> None:
    assert moment(text, 86_400.0) == at


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stauts:dead", "There is no qualifier stauts:"),
        ("status:gone", "There is no status 'gone'"),
        ("queue:a queue:b", "queue: twice"),
        ('type:"open', "not closed"),
        ("queue:<script>", "is not a queue name"),
        ("created>soon", "'soon' is no time"),
        ("created:2026-03-29", "later or earlier"),
        ("x" * 1001, "at most 1,000"),
    ],
)
def test_a_search_that_cannot_be_is_explained(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse_search(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),  # noqa: RUF001 - a dash
        (0.0, "0 ms"),
        (0.00001, "<0.1 ms"),
        (0.0042, "4.2 ms"),
        (0.25, "250 ms"),
        (9.96, "10.0 s"),
        (59.0, "59 s"),
        (75.0, "1 min 15 s"),
        (3600.0, "1 h"),
        (90_000.0, "1 d 1 h"),
        (40 * 86_400.0, "40 d"),
    ],
)
def test_durations_are_short(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


def test_counts_above_100_000_are_rounded() -> None:
    assert [formats.many(number) for number in (99_999, 123_456, 7_654_321)] == ["99,999", "123 k", "7.7 M"]


def stats(queue: str = "mail", **given: Any) -> QueueStats:
    """Figures of a queue: tasks by state, its ``config``, its ``counters``, and the ``old`` age of its head."""
    config, counters, old = QueueConfig(**given.pop("config", {})), given.pop("counters", {}), given.pop("old", None)
    counts = dict.fromkeys(TaskStatus, 0) | {TaskStatus(name): number for name, number in given.items()}
    return QueueStats(queue=queue, counts=counts, config=config, oldest_ready_age=old, counters=counters)


def worker(**fields: Any) -> WorkerInfo:
    return WorkerInfo(**{"id": "w-1", "name": "w", "host": "h", "pid": 1, "beat_at": 100.0, **fields})


def health(**fields: Any) -> StorageHealth:
    promise = Promise(Durability.DURABLE, "It survives.")
    return StorageHealth.of(
        promise, **{"engine": "redis", "version": "7", "url": "redis://h", "latency": 0.001, **fields}
    )


def sample(*queues: QueueStats, before: QueueStats | None = None, **fields: Any) -> Sample:
    rates = rates_of(queues, [before] if before else [], 60.0)
    given = {"number": 1, "time": 100.0, "workers": (worker(),), "health": health(), "rates": rates, "window": 60.0}
    return Sample(**{**given, "queues": queues, **fields})


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (sample(stats(pending=3), workers=()), "Queue mail has no worker, and 3 tasks wait"),
        (sample(stats(pending=3), workers=(worker(paused=True),)), "Queue mail has no worker"),
        (sample(stats(pending=3), workers=(worker(queues=("other",)),)), "Queue mail has no worker"),
        (sample(stats(pending=3, config={"paused": True})), "Queue mail is paused, and 3 tasks wait"),
        (sample(stats(pending=3, old=300.0)), "Queue mail falls behind: its oldest task has waited for 5 min"),
        (sample(stats(pending=95, config={"max_size": 100})), "Queue mail is nearly full: 95 of 100 tasks"),
        (sample(stats(pending=100, config={"max_size": 100})), "Queue mail is full"),
        (sample(stats(counters={"finished.dead|a": 2})), "2 new dead letters in the last minute: mail 2"),
        (sample(stats(counters={"attempts.lost|a": 1})), "Queue mail: 1 lease ran out in the last minute"),
        (sample(stats(counters={"fenced.settle|": 1})), "Queue mail: 1 late report refused"),
        (
            sample(stats(counters={"attempts.failed|a": 5, "attempts.succeeded|a": 5})),
            "Queue mail: 50% of the attempts in the last minute failed",
        ),
        (sample(workers=(worker(beat_at=80.0),)), "Worker w has not reported for 20 s"),
        (
            sample(workers=(worker(max_workers=2, active_tasks=2, claimed_at=39.0),)),
            "Worker w has taken nothing for 61 s: all of its 2 slots are busy",
        ),
        (sample(health=health(latency=0.5)), "The storage is slow: a round trip took 500 ms"),
        (sample(health=health(clock_offset=-3.0)), "The storage's clock is 3.0 s behind this server's"),
        (sample(error="Cannot reach the storage at redis://h: refused"), "Cannot reach the storage at redis://h"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(seen: Sample, words: str) -> None:
    problems = find_problems(seen)
    assert [problem.text for problem in problems if words in problem.text]
    assert all(problem.advice and formats.page_about(problem).startswith("/") for problem in problems)


def test_where_nothing_is_wrong_nothing_is_said_and_the_worst_comes_first() -> None:
    counters = {"finished.dead|a": 7, "attempts.failed|a": 7, "attempts.succeeded|a": 100}
    calm = stats(processing=3, pending=3, old=0.5, counters=counters)
    assert find_problems(sample(calm, before=calm)) == []
    severities = [
        problem.severity
        for problem in find_problems(
            sample(stats("a", pending=1, old=99), stats("b", pending=1), workers=(worker(queues=("a",)),))
        )
    ]
    assert severities == [BAD, "warning"]


def test_a_change_of_the_workers_version_is_a_mark_in_the_charts() -> None:
    at = [0.0]
    with HybridQueue() as queue:
        sampler = Sampler(queue, lambda: at[0], lambda: at[0])
        for version in ("1.0", "1.0", "1.1", "1.1"):
            queue.storage.beat(worker(version=version))
            sampler.look()
            at[0] += POINT_SECONDS
        sampler.end()
    assert [point.deploy for point in sampler.points] == ["", "1.0 → 1.1", ""]


def dead(error: str, line: int = 1, **fields: Any) -> Task:
    return Task(1, {"type": "mail"}, error=error, traceback=TRACEBACK.format(line=line), reason="failed", **fields)


def test_errors_with_one_class_and_place_are_one_whatever_their_message() -> None:
    tasks = [
        dead("ValueError: 1"),
        dead("KeyError: 'x'", 2),
        dead("ValueError: 2", queue="b"),
        dead("ValueError: 3", 9),
    ]
    sorter = Sorter()
    sorter.add(tasks)
    groups = sorter.groups()
    assert [(each.fingerprint.kind, each.fingerprint.frame, each.number) for each in groups] == [
        ("ValueError", "shop/mail.py:1 in send", 2),
        ("KeyError", "shop/mail.py:2 in send", 1),
        ("ValueError", "shop/mail.py:9 in send", 1),
    ]
    assert groups[0].queues == ("b", "default")
    assert groups[0].latest.error == "ValueError: 1"


def test_what_all_dead_letters_of_a_group_have_in_common_is_told() -> None:
    def order(**data: Any) -> Task:
        return Task(1, {"type": "charge", "data": data})

    orders = [order(customer="Hooli", number=number, paid=True, items=[1]) for number in range(3)]
    assert in_common(orders) == [("customer", "Hooli"), ("paid", "True")]
    assert in_common([*orders, order(customer="Hooli", paid=1)]) == [("customer", "Hooli")]
    assert in_common(orders[:1]) == []
    assert in_common([Task(1, {"type": "charge", "data": "text"})] * 2) == []
    assert in_common([Task(1, "text")] * 2) == []


def test_a_dead_letter_without_an_error_has_a_fingerprint_too() -> None:
    crashed = fingerprint(Task(1, None, reason="crashed"))
    assert (crashed.kind, crashed.frame, crashed.reason) == ("(no error was kept)", "", "crashed")
    assert crashed.id != fingerprint(Task(1, None, reason="failed")).id


def test_a_tree_shows_as_much_as_a_page_can() -> None:
    tree = make_tree({"a": [1, None, True], "b": "x" * 5000, "c": list(range(5000))})
    assert [child.key for child in tree.children] == ["a", "b", "c"]
    assert [child.text for child in tree.children[0].children] == ["1", "null", "true"]
    assert "(5,000 characters)" in tree.children[1].text
    assert "more are not shown" in tree.children[2].children[-1].text
    assert len(tree.children[2].children) <= MAX_NODES


@pytest.mark.parametrize(
    "payload", [{"type": "mail", "data": {"to": "a'b\n$(x)"}}, {"type": "math", "a": 1}, [1, "ü"], None]
)
def test_snippets_submit_the_same_task(payload: Any) -> None:
    task = Task(7, payload, queue="q", max_retries=1, timeout=2.5)
    body = json.loads(shlex.split(snippets.as_curl(task, "http://h", key=False).replace("\\\n", ""))[-1])
    assert body == {"payload": payload, "priority": 7, "queue": "q", "max_retries": 1, "timeout": 2.5}
    made = eval(snippets.as_python(task), {"queue": type("Q", (), {"put": lambda _, given: given})(), "Task": Task})
    assert (made.priority, made.payload, made.queue, made.timeout) == (7, payload, "q", 2.5)
    words = shlex.split(snippets.as_command(task))
    assert words[0] == ("dq" if isinstance(payload, dict) else "echo")


@pytest.mark.parametrize("package", ["distributed_queue.dashboard.static", "distributed_queue.tests.browser"])
def test_files_of_others_are_what_the_manifest_says(package: str) -> None:
    vendor = resources.files(package.rpartition(".")[0]) / package.rpartition(".")[2] / "vendor"
    for entry in json.loads((vendor / "manifest.json").read_text())["files"]:
        assert hashlib.sha256((vendor / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        assert (vendor / f"{entry['file'].partition('.')[0].partition('-')[0]}.LICENSE.txt").is_file()
