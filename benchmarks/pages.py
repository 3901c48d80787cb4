"""How long the dashboard takes for each page with a million tasks stored: ``python -m benchmarks.pages --help``.

Prints JSON, and fails where a page's p95 is above the limit. The pages are asked for in turn with a pause between, as
someone does who looks around: now and then one has to look at the storage afresh, which is part of its time.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

from benchmarks import end_in_order
from benchmarks.places import open_places
from benchmarks.report import conditions
from benchmarks.scenarios.rest import served
from distributed_queue.core.storage import ClaimRequest, NewTask, Outcome, Settlement, WorkerInfo
from distributed_queue.core.task import Failure, Task, encode_failure, to_new_task
from distributed_queue.testing.servers import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue import HybridQueue

TASKS = 1_000_000
QUEUES = 20
TYPES = 10
WORKERS = 40
BATCH = 1000
ROUNDS = 40
PAUSE_SECONDS = 0.1
LIMIT_MS = 100.0
QUICK_TASKS = 500
SHARES = ((Outcome.COMPLETE, 0.10), (Outcome.BURY, 0.04), (Outcome.RETRY, 0.02))
"""What became of which part of the tasks; the rest waits."""
ERRORS = ("TimeoutError: no answer from smtp.example.org", "KeyError: 'address'", "ValueError: no such customer")
TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "/app/shop/{name}.py", line {40 + depth}, in {name}\n    return {name}(order)\n'
    for depth, name in enumerate(("handle", "charge", "bill", "total", "fetch", "send"))
)


def main() -> None:
    """Fill each storage, measure, print."""
    end_in_order()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description="Measure the dashboard's pages.")
    parser.add_argument("--engine", action="append", choices=["sqlite", "redis"], help="may be repeated; default: both")
    parser.add_argument("--tasks", type=int, default=TASKS, help=f"stored tasks (default {TASKS:,})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"looks at each page (default {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="few tasks and looks, to see that it works")
    options = parser.parse_args()
    tasks, rounds = (QUICK_TASKS, 2) if options.quick else (options.tasks, options.rounds)
    report = {**conditions("benchmarks.pages", rounds), "tasks": tasks, "pages": {}}
    with open_places(options.engine or ["sqlite", "redis"]) as places:
        for place in places:
            with place.session(workers=0) as session:
                fill(session.queue, tasks)
                report["pages"][place.name] = measure(session.queue, rounds)
    print(json.dumps(report, indent=2))
    slow = [page for pages in report["pages"].values() for page, times in pages.items() if times["p95"] > LIMIT_MS]
    if slow and not options.quick:
        sys.exit(f"Above {LIMIT_MS:.0f} ms at p95: {', '.join(slow)}")


def fill(queue: HybridQueue, tasks: int) -> None:
    """Store tasks in several queues; some of them have run, failed or died."""
    each = tasks // QUEUES
    for number in range(QUEUES):
        name = f"queue-{number}"
        for first in range(0, each, BATCH):
            queue.storage.enqueue([_task(name, index) for index in range(first, min(first + BATCH, each))])
        for outcome, share in SHARES:
            _work(queue, name, outcome, round(each * share))
    beat(queue)


def beat(queue: HybridQueue) -> None:
    """Let workers report; they would be forgotten after half a minute."""
    for number in range(WORKERS):
        info = WorkerInfo(id=f"worker-{number}-1", name=f"worker-{number}", host="host", pid=1, max_workers=10)
        queue.storage.beat(info)


def measure(queue: HybridQueue, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds for each page: median, 95 % and the longest."""
    command = [sys.executable, "-m", "distributed_queue", "serve", "--workers", "0", "--log-level", "error"]
    times: dict[str, list[float]] = defaultdict(list)
    with (
        served([*command, "--storage-url", queue.storage.url, "--port"]) as (_, port),
        httpx.Client(base_url=f"http://{HOST}:{port}", timeout=60.0, trust_env=False) as client,
    ):
        pages = list(_pages(client))
        for page in pages:
            client.get(page[1])  # templates are compiled by the first look
        for _ in range(rounds):
            beat(queue)
            random.shuffle(pages)
            for words, address in pages:
                time.sleep(PAUSE_SECONDS)
                began = time.perf_counter()
                answer = client.get(address)
                times[words].append((time.perf_counter() - began) * 1000)
                answer.raise_for_status()
    return {words: _figures(times[words]) for words in sorted(times)}


def _pages(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Each page: what it is called, and where it is in this dashboard."""
    dead = client.get("/dead").text
    group = re.findall(r'href="(/dead/\w+)"', dead)[0]
    letter = re.findall(r'href="(/tasks/[^"]+)"', client.get(group).text)[0].replace("&amp;", "&")
    yield from (
        ("overview", "/"),
        ("tasks", "/tasks"),
        ("tasks: one state", _search("status:dead")),
        ("tasks: one type", _search("queue:queue-3 type:type-7")),
        ("tasks: error", _search("error:smtp")),
        ("tasks: error that is rare", _search("error:nowhere")),
        ("tasks: created", _search("created<1h")),
        ("tasks: last page", _search("status:completed queue:queue-19")),
        ("task", letter),
        ("queues", "/queues"),
        ("queue", "/queues/queue-7"),
        ("workers", "/workers"),
        ("worker", "/worker?id=worker-3-1"),
        ("dead letters", "/dead"),
        ("dead letters: a group", group),
        ("metrics", "/charts"),
        ("journal", "/journal"),
        ("settings", "/settings"),
        ("submit", "/submit"),
    )


def _search(query: str) -> str:
    return f"/tasks?q={quote(query)}"


def _task(queue: str, number: int) -> NewTask:
    payload = {"type": f"type-{number % TYPES}", "data": {"customer": number, "to": "ada@example.org"}}
    return to_new_task(Task(100, payload, queue=queue))


def _work(queue: HybridQueue, name: str, outcome: Outcome, number: int) -> None:
    left = number
    while left > 0:
        request = ClaimRequest((name,), "filler-1", min(left, BATCH), 60.0)
        tasks = queue.storage.claim(request).tasks
        errors = [_error(position) if outcome is not Outcome.COMPLETE else None for position in range(len(tasks))]
        delay = 24 * 3600.0 if outcome is Outcome.RETRY else 0.0
        queue.storage.settle(
            [
                Settlement(name, task.id, task.attempt, outcome, error=error, delay=delay)
                for task, error in zip(tasks, errors, strict=True)
            ]
        )
        left -= len(tasks)


def _error(number: int) -> bytes:
    return encode_failure(Failure(ERRORS[number % len(ERRORS)], TRACEBACK, 1))


def _figures(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    figures = {"p50": ordered[len(ordered) // 2], "p95": ordered[int(len(ordered) * 0.95)], "longest": ordered[-1]}
    return {name: round(value, 1) for name, value in figures.items()}


if __name__ == "__main__":
    main()
