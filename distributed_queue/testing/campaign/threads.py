"""Members that are threads of this process: all that a storage in memory can have."""

from __future__ import annotations

import random
import threading
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.testing.campaign.members import Member
from distributed_queue.testing.campaign.programs import Spec, make_producer, make_worker
from distributed_queue.testing.proof import HistoryWriter, RecordingStorage
from distributed_queue.testing.proof.lossy import LossyStorage

if TYPE_CHECKING:
    from distributed_queue.core.storage import Storage
    from distributed_queue.core.worker import Worker


class ThreadMember(Member):
    """A member whose way to the storage is ``wire``, which may lose what it is given."""

    def __init__(self, spec: Spec, storage: Storage) -> None:
        super().__init__(spec)
        self.wire = LossyStorage(storage, random.Random(f"{spec.seed}/{spec.slot}"), before=0.0, after=0.0)  # noqa: S311

    def kill(self) -> None:
        """As nobody can kill a thread, it is told to stop."""
        self.terminate()

    def crashed(self) -> bool:
        """Threads do not."""
        return False

    def start(self) -> None:
        """Begin."""
        self.generation += 1
        history = HistoryWriter(self.spec.folder / f"{self.name}.jsonl")
        queue = HybridQueue()
        queue.storage = cast("Storage", RecordingStorage(cast("Storage", self.wire), history, self.name))
        self._begin(replace(self.spec, name=self.name), queue)

    @abstractmethod
    def _begin(self, spec: Spec, queue: HybridQueue) -> None: ...


class ThreadWorker(ThreadMember):
    """A worker."""

    _worker: Worker | None = None

    def terminate(self) -> None:
        """Tell it to stop, and wait until it has."""
        if self._worker is not None:
            self._worker.stop()

    def _begin(self, spec: Spec, queue: HybridQueue) -> None:
        self._worker = make_worker(spec, queue, HistoryWriter(spec.folder / f"{spec.name}-effects.jsonl"))
        self._worker.start()


class ThreadProducer(ThreadMember):
    """A producer."""

    _thread: threading.Thread | None = None
    _stop = threading.Event()

    def terminate(self) -> None:
        """Tell it to stop, and wait until it has."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _begin(self, spec: Spec, queue: HybridQueue) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=make_producer(spec, queue, self._stop).run, name=spec.name, daemon=True)
        self._thread.start()
