"""How long this process waits for its storage, by verb."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from distributed_queue.core.storage import Storage
from distributed_queue.errors import StorageError
from distributed_queue.observability.figures import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

BOUNDS_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
OPERATIONS = tuple(sorted(Storage.__abstractmethods__ - {"close", "journal", "promise", "wait", "wake"}))
"""What is timed: not what waits by design. Claiming and settling are parts of ``exchange``."""
OK, ERROR = "ok", "error"


class OperationTimes:
    """A histogram for each verb and how its calls ended. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histograms = {
            (operation, outcome): Histogram(BOUNDS_SECONDS) for operation in OPERATIONS for outcome in (OK, ERROR)
        }

    def observe(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one call."""
        histogram = self._histograms[operation, outcome]
        place = bisect_left(BOUNDS_SECONDS, seconds)
        with self._lock:
            histogram.counts[place] += 1
            histogram.sum_seconds += seconds

    def read(self) -> list[tuple[tuple[str, str], Histogram]]:
        """What was counted, sorted: of verbs that were called, both outcomes."""
        called = {operation for (operation, _), histogram in self._histograms.items() if histogram.total}
        return [(key, self._histograms[key]) for key in sorted(self._histograms) if key[0] in called]


def time_operations(storage: Storage) -> OperationTimes:
    """Take the time of every call from now on; once for each storage, however often it is asked for.

    The verbs of this one object are replaced: between it and its callers nothing else is in the way, and a storage that
    nobody measures pays nothing. A call that storage trouble ends is an error; a refusal, such as a full queue, is not.
    """
    times: OperationTimes | None = vars(storage).get("operation_times")
    if times is None:
        times = OperationTimes()
        for operation in OPERATIONS:
            setattr(storage, operation, _timed(getattr(storage, operation), operation, times))
        vars(storage)["operation_times"] = times
    return times


def _timed(call: Callable[..., Any], operation: str, times: OperationTimes) -> Callable[..., Any]:
    now, observe = time.perf_counter, times.observe

    def timed(*args: Any, **kwargs: Any) -> Any:
        began, outcome = now(), OK
        try:
            return call(*args, **kwargs)
        except StorageError:
            outcome = ERROR
            raise
        finally:
            observe(operation, outcome, now() - began)

    return timed
