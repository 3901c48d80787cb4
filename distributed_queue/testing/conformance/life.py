"""Health, and the end of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.core.durability import MOST_REPLICAS
from distributed_queue.core.storage import (
    Command,
    Demand,
    Durability,
    Lease,
    Outcome,
    Settlement,
    TaskFilter,
    TaskUpdate,
)
from distributed_queue.errors import QueueClosed, StorageIncompatible
from distributed_queue.testing.builders import Q, new_task, request, worker_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.storage import Storage

VERBS: dict[str, Callable[[Storage], object]] = {
    "enqueue": lambda storage: storage.enqueue([new_task()]),
    "exchange": lambda storage: storage.exchange([], request()),
    "claim": lambda storage: storage.claim(request()),
    "await_claim": lambda storage: storage.await_claim(request(), 0),
    "settle": lambda storage: storage.settle([Settlement(Q, "t1", 1, Outcome.COMPLETE)]),
    "extend": lambda storage: storage.extend([Lease(Q, "t1", 1)], 10),
    "wait": lambda storage: storage.wait([Q], 0),
    "get": lambda storage: storage.get(["t1"], Q),
    "get without a queue": lambda storage: storage.get(["t1"]),
    "find": lambda storage: storage.find(TaskFilter()),
    "stats": lambda storage: storage.stats(),
    "queues": lambda storage: storage.queues(),
    "cancel": lambda storage: storage.cancel(Q, ["t1"]),
    "requeue": lambda storage: storage.requeue(Q, ["t1"]),
    "delete": lambda storage: storage.delete(Q, ["t1"]),
    "update": lambda storage: storage.update(Q, "t1", TaskUpdate(priority=1)),
    "clear": lambda storage: storage.clear(Q),
    "configure": lambda storage: storage.configure(Q, {}),
    "pause": lambda storage: storage.pause(Q),
    "resume": lambda storage: storage.resume(Q),
    "beat": lambda storage: storage.beat(worker_info()),
    "workers": lambda storage: storage.workers(),
    "command": lambda storage: storage.command("w1", Command(action="stop")),
    "journal": lambda storage: storage.journal(Q, 0, 10),
    "journal_tail": lambda storage: storage.journal_tail(Q),
    "health": lambda storage: storage.health(),
    "promise": lambda storage: storage.promise(),
    "demand": lambda storage: storage.demand(Demand(Durability.NONE)),
}


class TestLife:
    """``health``, ``url`` and ``close``."""

    def test_health_tells_what_an_operator_asks_first(self, storage: Storage) -> None:
        health = storage.health()
        assert health.engine == storage.url.partition(":")[0]
        assert health.url == storage.url
        assert health.version
        assert health.durability.endswith(".")
        assert 0 <= health.latency < 5

    def test_what_is_promised_can_be_demanded_and_is_what_health_tells(self, storage: Storage) -> None:
        promise = storage.promise()
        assert promise.profile is not None
        storage.demand(Demand(promise.profile))
        health = storage.health()
        assert health.profile == promise.profile.value
        assert health.durability.startswith(f"{promise.profile}: ")
        assert not health.missing

    def test_more_than_is_promised_is_refused_with_what_to_change(self, storage: Storage) -> None:
        with pytest.raises(StorageIncompatible, match="durability=replicated is demanded") as caught:
            storage.demand(Demand(Durability.REPLICATED, MOST_REPLICAS))
        assert storage.url in str(caught.value)
        assert "Redis" in str(caught.value) or "Connect replicas" in str(caught.value)
        storage.enqueue([new_task()])  # as before

    @pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
    def test_every_verb_works_on_an_empty_storage(self, storage: Storage, verb: Callable[[Storage], object]) -> None:
        verb(storage)

    def test_waking_a_closed_storage_is_no_error(self, realtime_storage: Storage) -> None:
        realtime_storage.close()
        realtime_storage.wake()

    @pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
    def test_no_verb_works_after_close(self, storage: Storage, verb: Callable[[Storage], object]) -> None:
        storage.close()
        with pytest.raises(QueueClosed):
            verb(storage)

    def test_closing_twice_is_closing_once(self, storage: Storage) -> None:
        storage.close()
        storage.close()
