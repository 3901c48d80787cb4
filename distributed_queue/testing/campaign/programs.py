"""The processes of a campaign: a worker and a producer, each with a history file of its own."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.errors import StorageError
from distributed_queue.testing.campaign.handlers import register_all
from distributed_queue.testing.campaign.producer import Producer
from distributed_queue.testing.campaign.workload import Workload
from distributed_queue.testing.proof import HistoryWriter, RecordingStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from distributed_queue.core.storage import Storage
    from distributed_queue.testing.proof.records import History

_PAUSE_SECONDS = 0.1
_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Spec:
    """What a process is told."""

    slot: str
    """Whose place it takes: ``worker-1``."""
    name: str
    """Its own name: ``worker-1.3`` is the third in that place."""
    url: str
    folder: Path
    lease_seconds: float
    slots: int
    rate: float
    seed: str
    hostile: tuple[str, ...]
    hostile_every: int


def work(spec: Spec) -> None:
    """Be a worker until SIGTERM."""
    stop = _begin(spec)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # some handlers fork
    queue = _open(spec, stop)
    if queue is None:
        return
    worker = make_worker(spec, queue, HistoryWriter(spec.folder / f"{spec.name}-effects.jsonl"))
    if _insist(worker.start, stop):
        _wait(stop)
        worker.stop()
    queue.close()


def produce(spec: Spec) -> None:
    """Be a producer until SIGTERM."""
    stop = _begin(spec)
    queue = _open(spec, stop)
    if queue is not None:
        producer = make_producer(spec, queue, stop)
        thread = threading.Thread(target=producer.run)
        thread.start()
        _wait(stop)
        thread.join()
        queue.close()


def make_worker(spec: Spec, queue: HybridQueue, effects: History) -> Worker:
    """A worker of a campaign."""
    config = WorkerConfig(
        name=spec.slot,
        max_workers=spec.slots,
        lease_seconds=spec.lease_seconds,
        shutdown_timeout=0.5,
        stuck_seconds=1.0,
    )
    worker = Worker(queue, config)
    register_all(worker, spec.name, effects)
    return worker


def make_producer(spec: Spec, queue: HybridQueue, stop: threading.Event) -> Producer:
    """A producer of a campaign."""
    workload = Workload(spec.seed, spec.slot, spec.hostile, spec.hostile_every)
    return Producer(queue, workload, spec.folder / f"{spec.slot}.outbox", spec.rate, stop)


def _begin(spec: Spec) -> threading.Event:
    """Take what is said to a file, and SIGTERM as the end."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log = os.open(spec.folder / f"{spec.slot}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    return stop


def _open(spec: Spec, stop: threading.Event) -> HybridQueue | None:
    """The queue, recorded; None if it is to end before the storage answers."""
    opened: list[HybridQueue] = []
    if not _insist(lambda: opened.append(HybridQueue.from_url(spec.url)), stop):
        return None
    queue = opened[0]
    history = HistoryWriter(spec.folder / f"{spec.name}.jsonl")
    queue.storage = cast("Storage", RecordingStorage(queue.storage, history, spec.name))
    return queue


def _insist(step: Callable[[], object], stop: threading.Event) -> bool:
    """Try until the storage answers, as whoever supervises a process would; False if it is to end before."""
    while not stop.is_set():
        try:
            step()
        except StorageError as error:
            print(f"{time.time():.3f} {error}", file=sys.stderr)  # noqa: T201 - the log of the process
            stop.wait(_PAUSE_SECONDS)
        else:
            return True
    return False


def _wait(stop: threading.Event) -> None:
    """Until SIGTERM, or until nobody is there any more who could send it."""
    parent = os.getppid()
    while not stop.wait(_LOOK_SECONDS) and os.getppid() == parent:
        pass
