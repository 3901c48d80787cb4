"""What is counted, in a process of its own: ``python -m benchmarks.guard.steps URL STEP COUNT``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.load import BATCH, fill, new_task
from benchmarks.worker import LocalWorker
from distributed_queue import HybridQueue
from distributed_queue.core.storage import ClaimRequest, Outcome, Settlement
from distributed_queue.core.worker.prefetch import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

_IN_ADVANCE = 40
_LONG_SECONDS = 10.0


def _open(queue: HybridQueue, count: int) -> None:
    """Do nothing: what is left is the interpreter, the imports, and the first use of the storage."""


def _put(queue: HybridQueue, count: int) -> None:
    for _ in range(count):
        queue.put(new_task())


def _exchange(queue: HybridQueue, count: int) -> None:
    """Claim and settle, without a worker."""
    fill(queue, count)
    request = ClaimRequest(("default",), "guard", BATCH, 30.0)
    held = queue.storage.claim(request).tasks
    while held:
        settlements = [Settlement("default", task.id, task.attempt, Outcome.COMPLETE) for task in held]
        held = queue.storage.exchange(settlements, request).claim.tasks


def _work(queue: HybridQueue, count: int) -> None:
    """Let a worker do it, in batches of one size: by itself it follows its speed, which is another in each run.

    Each thread goes on until it has to wait, so that what it did is not told in pieces whose size is a matter of luck.
    """
    fill(queue, count)
    sys.setswitchinterval(_LONG_SECONDS)
    Pace.prefetch = lambda self: _IN_ADVANCE  # type: ignore[method-assign]  # noqa: ARG005  # in a process that does nothing else
    with LocalWorker(queue, ["default"]) as worker:
        worker.mark(count)
        worker.start()
        worker.finish()


STEPS: dict[str, Callable[[HybridQueue, int], None]] = {
    "open": _open,
    "put": _put,
    "put_many": fill,
    "exchange": _exchange,
    "work": _work,
}
FILLING = frozenset({"exchange", "work"})
"""Those that first fill the queue, as ``put_many`` does."""


if __name__ == "__main__":
    with HybridQueue.from_url(sys.argv[1]) as first:
        fill(first, BATCH)  # what is done once: scripts, statements, the first of everything
        first.storage.clear("default")
        STEPS[sys.argv[2]](first, int(sys.argv[3]))
