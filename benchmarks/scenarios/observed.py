"""A worker that everything observes, next to one that nothing does.

Observed is: metrics of the worker and of the server scraped each second, logs as JSON, the dashboard's overview open in
a browser and, where that is said, one run of ten traced. The journal is written in all: it cannot be turned off.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx

from benchmarks import ENVIRONMENT
from benchmarks.figures import Cpu, Sample
from benchmarks.load import measured, per_task
from benchmarks.observed_app import functions, plain, traced
from benchmarks.processes import tree, used_seconds
from benchmarks.scenarios.rest import served
from distributed_queue import DistributedQ, HybridQueue, TaskStatus
from distributed_queue.testing.servers import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

KINDS = {"noop": "functions that do nothing", "busy": "functions that take 1 ms"}
TASKS = {"noop": 40_000, "busy": 2_000}
WARM_UP = {"noop": 3_000, "busy": 300}
BATCH = 100
LOOK_SECONDS = 0.01
SCRAPE_SECONDS = 1.0


class Run(NamedTuple):
    """What is done, and what observes it."""

    figure: str
    kind: str
    observed: bool = False
    app: DistributedQ = plain


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """Not for memory, which no server or worker of another process can see."""
    if place.engine == "memory":
        return
    for kind, words in list(KINDS.items())[: 1 if scale.small else None]:
        off = f"{words}, everything off"
        yield _drained(place, scale, Run(off, kind))
        if not scale.small:
            yield _drained(place, scale, Run(f"{words}, everything on but traces", kind, observed=True), off)
        yield _drained(place, scale, Run(f"{words}, everything on", kind, observed=True, app=traced), off)


def _drained(place: Place, scale: Scale, run: Run, reference: str = "") -> Sample:
    """From the moment that the full queue is released until the storage has nothing left to do."""
    url, count = place.fresh(), scale.count(TASKS[run.kind])
    function = functions[run.app][run.kind]
    with ExitStack() as stack:
        queue = stack.enter_context(HybridQueue.from_url(url))
        stack.callback(run.app.use(queue))
        if run.observed:
            stack.enter_context(_dashboard(url))
        pid = stack.enter_context(_worker(url, run))
        for number in (scale.count(WARM_UP[run.kind]), count):
            queue.pause()
            for _ in range(0, number, BATCH):
                run.app.submit_many(function.call("x" * 26) for _ in range(BATCH))
            before = used_seconds(tree(pid))
            with measured(place) as cost:
                queue.resume()
                while any(stats.depth or stats.counts[TaskStatus.PROCESSING] for stats in queue.queue_stats()):
                    time.sleep(LOOK_SECONDS)
        used = used_seconds(tree(pid)) - before
    cpu = Cpu(None, per_task(used, count), per_task(cost.storage, count))
    return Sample(run.figure, count / cost.wall, "tasks/s", cpu, reference)


@contextmanager
def _worker(url: str, run: Run) -> Iterator[int]:
    """``dq worker``; its process."""
    command = [sys.executable, "-m", "distributed_queue", "worker", "--storage-url", url]
    command.append(f"benchmarks.observed_app:{'traced' if run.app is traced else 'plain'}")
    if run.observed:
        with (
            served([*command, "--log-format", "json", "--metrics-port"]) as (
                pid,
                port,
            ),
            _repeated(f"http://{HOST}:{port}/metrics"),
        ):
            yield pid
        return
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, "--log-level", "error"], stdout=quiet, stderr=quiet, env=ENVIRONMENT) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def _dashboard(url: str) -> Iterator[None]:
    """A server whose metrics are scraped, and one browser that shows the overview."""
    command = [sys.executable, "-m", "distributed_queue", "serve", "--workers", "0", "--log-format", "json"]
    with served([*command, "--storage-url", url, "--port"]) as (_, port):
        base = f"http://{HOST}:{port}"
        with _repeated(f"{base}/metrics"), _open_tab(base):
            yield


@contextmanager
def _repeated(address: str) -> Iterator[None]:
    """Ask each second, as Prometheus would if told to hurry."""
    ended = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=10.0) as client:
            while not ended.wait(SCRAPE_SECONDS):
                client.get(address).raise_for_status()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        ended.set()
        asking.join()


@contextmanager
def _open_tab(base: str) -> Iterator[None]:
    """Listen to samples, and get the page again for each."""

    def show() -> None:
        with httpx.Client(base_url=base, trust_env=False, timeout=None) as client:  # noqa: S113 - ends with the server
            try:
                with client.stream("GET", "/live/events") as stream:
                    for line in stream.iter_lines():
                        if line == "event: sample":
                            client.get("/").raise_for_status()
            except httpx.TransportError:
                return  # The server has ended.

    tab = threading.Thread(target=show, daemon=True)
    tab.start()
    yield
