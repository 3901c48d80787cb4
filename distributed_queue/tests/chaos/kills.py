"""Worker processes and servers that are killed under load; then the histories are judged.

As a program, for runs of any size::

    python -m distributed_queue.tests.chaos.kills --engine redis --tasks 20000 --workers 3 --kills 20
    python -m distributed_queue.tests.chaos.kills --engine redis --tasks 20000 --workers 3 --restarts 10
    python -m distributed_queue.tests.chaos.kills --engine redis --tasks 3000 --restarts 2 --appendfsync off
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.task import Task
from distributed_queue.errors import StorageUnavailable
from distributed_queue.testing.proof import HistoryWriter, RecordingStorage, check_files, read_history
from distributed_queue.testing.proof.records import Fault, Journalled, Settings
from distributed_queue.testing.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import Storage
    from distributed_queue.testing.proof import Report

_BATCH = 50
_MANY = 10_000_000
_LIMIT_SECONDS = 300.0


@dataclass
class Plan:
    """What is to happen."""

    url: str
    folder: Path
    tasks: int = 1500
    workers: int = 3
    kills: int = 6
    restarts: int = 0
    lease_seconds: float = 2.0
    work_seconds: float = 0.03
    seed: int = 0
    server: RedisServer | None = None


@dataclass
class Result:
    """What happened."""

    report: Report
    resumed: list[float] = field(default_factory=list)
    """Seconds from each return of the server until a task was completed."""


class Run:
    """Submits, works, breaks, heals, and judges."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._history = HistoryWriter(plan.folder / "client.jsonl")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._started = 0
        self._returns: list[float] = []

    def run(self) -> Result:
        """Do it all."""
        plan = self._plan
        queue = HybridQueue.from_url(plan.url, retention_count=_MANY, journal_max_bytes=1 << 40, max_crashes=_MANY)
        self._history.write(Settings(queue="default", max_crashes=_MANY))
        recording = RecordingStorage(queue.storage, self._history, "client")
        queue.storage = cast("Storage", recording)
        try:
            for _ in range(plan.workers):
                self._start_worker()
            producer = threading.Thread(target=self._produce, args=(queue,))
            producer.start()
            self._break_things(queue)
            producer.join()
            self._drain(queue)
        finally:
            self._stop_workers()
        recording.dump("default", drained=True)
        queue.close()
        files = sorted(plan.folder.glob("*.jsonl"))
        return Result(check_files(files), self._resumptions(files))

    def _start_worker(self) -> None:
        plan = self._plan
        self._started += 1
        name = f"worker-{self._started}"
        command = [sys.executable, "-m", "distributed_queue.tests.chaos.worker_program", plan.url, str(plan.folder)]
        self._processes[name] = subprocess.Popen([*command, name, str(plan.lease_seconds), str(plan.work_seconds)])

    def _produce(self, queue: HybridQueue) -> None:
        for first in range(0, self._plan.tasks, _BATCH):
            batch = [Task(self._chance.randrange(5), None, task_id=f"t{first + n}") for n in range(_BATCH)]
            while True:
                try:
                    queue.enqueue(batch)
                    break
                except StorageUnavailable:
                    time.sleep(0.05)  # and again, the same: it may have been stored

    def _break_things(self, queue: HybridQueue) -> None:
        plan = self._plan
        faults = ["kill"] * plan.kills + ["restart"] * plan.restarts
        self._chance.shuffle(faults)
        for number, fault in enumerate(faults, 1):
            self._wait_for_progress(queue, number / (len(faults) + 1))
            begin = time.time()
            if fault == "kill":
                name = self._chance.choice(list(self._processes))
                process = self._processes.pop(name)
                process.kill()
                process.wait()
                self._start_worker()
            elif plan.server is not None:
                plan.server.kill()
                plan.server.start()
                self._returns.append(time.time())
            self._history.write(Fault(fault=fault, target="", begin=begin, end=time.time()))

    def _wait_for_progress(self, queue: HybridQueue, share: float) -> None:
        """Until this share of the tasks is completed: so the faults are spread over the run, however fast it is."""
        self._wait_until(lambda: self._count(queue, TaskStatus.COMPLETED) >= share * self._plan.tasks)

    def _drain(self, queue: HybridQueue) -> None:
        """Until nothing is left to do: what was lost would be waited for in vain."""
        self._wait_until(lambda: queue.size() + self._count(queue, TaskStatus.PROCESSING) == 0)

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        end = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < end:
            try:
                if reached():
                    return
            except StorageUnavailable:
                pass
            time.sleep(0.02)
        raise AssertionError(f"it came to a standstill: nothing was reached within {_LIMIT_SECONDS:g} s")

    def _count(self, queue: HybridQueue, status: TaskStatus) -> int:
        return sum(stats.counts[status] for stats in queue.queue_stats("default"))

    def _stop_workers(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(60)

    def _resumptions(self, files: list[Path]) -> list[float]:
        """From the journal: how long after each return of the server the first task was completed."""
        completions = sorted(
            record.at
            for record in read_history(files)
            if isinstance(record, Journalled) and any(change[0] == "completed" for change in record.changes)
        )
        return [next((at - back for at in completions if at >= back), float("inf")) for back in self._returns]


def main() -> int:
    """Run once, print the report as JSON, and exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description="Kill workers and servers under load, and judge what happened.")
    parser.add_argument("--engine", choices=("sqlite", "redis"), default="redis")
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--restarts", type=int, default=0, help="of Redis, by SIGKILL")
    parser.add_argument(
        "--appendfsync", choices=("always", "everysec", "off"), default="always", help="off: no AOF, which loses tasks"
    )
    parser.add_argument("--lease", type=float, default=2.0)
    parser.add_argument("--work", type=float, default=0.03, help="seconds that a handler takes")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = None
        url = f"sqlite:///{folder}/queue.db"
        if arguments.engine == "redis":
            (folder / "redis").mkdir()
            aof, sync = ("no", "no") if arguments.appendfsync == "off" else ("yes", arguments.appendfsync)
            server = stack.enter_context(RedisServer(folder / "redis", appendonly=aof, appendfsync=sync))
            url = server.url
        plan = Plan(
            url=url,
            folder=folder,
            tasks=arguments.tasks,
            workers=arguments.workers,
            kills=arguments.kills,
            restarts=arguments.restarts,
            lease_seconds=arguments.lease,
            work_seconds=arguments.work,
            seed=arguments.seed,
            server=server,
        )
        result = Run(plan).run()
    print(json.dumps({**result.report.as_dict(), "resumed_seconds": result.resumed}, indent=1))
    return 0 if result.report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
