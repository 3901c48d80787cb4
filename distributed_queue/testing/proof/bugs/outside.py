"""Bugs of clients and workers: of those that the simulation has, and of what stands between them and the storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from zlib import crc32

import msgspec

from distributed_queue.errors import QueueFull, StorageUnavailable
from distributed_queue.testing.proof.bugs.planting import Seedbed, replaced
from distributed_queue.testing.proof.lossy import LossyStorage
from distributed_queue.testing.proof.simulation import Simulation
from distributed_queue.testing.proof.violations import Check

if TYPE_CHECKING:
    from distributed_queue.core.storage import NewTask

CLIENT = Seedbed("client")
WORKER = Seedbed("worker")


def _saying_yes_in_spite_of(error: type[Exception]) -> Any:
    def make(original: Any) -> Any:
        def enqueue(self: LossyStorage, tasks: Any) -> list[bool]:
            try:
                return list(original(self, tasks))
            except error:
                return [True] * len(tasks)

        return enqueue

    return replaced(LossyStorage, "enqueue", make)


@CLIENT.bug(Check.LOST)
def acknowledges_before_the_storage_has_answered() -> Any:
    """The refusal comes too late."""
    return _saying_yes_in_spite_of(QueueFull)


@CLIENT.bug(Check.LOST)
def swallows_a_disconnect() -> Any:
    return _saying_yes_in_spite_of(StorageUnavailable)


@CLIENT.bug(Check.STORED_TWICE)
def submits_again_under_new_ids() -> Any:
    def again(_: Simulation, batch: list[NewTask]) -> list[NewTask]:
        return [msgspec.structs.replace(task, id=f"{task.id}-again") for task in batch]

    return patch.object(Simulation, "_again", again)


@WORKER.bug(Check.RUN_WITHOUT_LEASE)
def drops_the_lease_check_before_running() -> Any:
    return patch.object(Simulation, "_still_leased", lambda _self, _end: True)


@WORKER.bug(Check.RUN_WITHOUT_LEASE)
def goes_on_after_a_lost_lease() -> Any:
    return patch.object(Simulation, "_heed", lambda _self, _worker, _states: None)


@WORKER.bug(Check.RUN_WITHOUT_LEASE)
def reports_what_it_never_ran() -> Any:
    def make(original: Any) -> Any:
        def effect(self: Simulation, worker: Any, task: Any, step: Any) -> None:
            if crc32(task.id.encode()) % 10:
                original(self, worker, task, step)

        return effect

    return replaced(Simulation, "_effect", make)


@WORKER.bug(Check.DUPLICATE_RUN)
def runs_again_what_it_reported_without_an_answer() -> Any:
    def make(original: Any) -> Any:
        def work(self: Simulation) -> None:
            try:
                original(self)
            except StorageUnavailable:
                for worker in self._workers:
                    for task in worker.held:
                        self._effect(worker, task, "start")
                raise

        return work

    return replaced(Simulation, "_work", make)
