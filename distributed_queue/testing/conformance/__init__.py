"""The conformance suite: what every engine does, as tests. ``core.storage`` is the contract, this its proof.

A binding is a test module of about ten lines. It imports all names of this package and supplies one fixture,
``open_client`` (see ``fixtures``)::

    from distributed_queue.testing.conformance import *

    @pytest.fixture
    def open_client(tmp_path):
        return functools.partial(MyStorage.from_url, f"my://{tmp_path}/data")

One module is one concern of the port. There are no skips and no options: an engine does all of it or is none.
"""

from distributed_queue.testing.conformance.awaiting import TestAwaitClaim
from distributed_queue.testing.conformance.batches import TestBatches, TestSweepLimit
from distributed_queue.testing.conformance.cancel import TestCancel
from distributed_queue.testing.conformance.claim import TestClaim, TestClaimFromSeveralQueues, TestNextDue
from distributed_queue.testing.conformance.concurrency import TestConcurrency
from distributed_queue.testing.conformance.configure import TestConfigure
from distributed_queue.testing.conformance.counters import TestCounters, TestHistograms
from distributed_queue.testing.conformance.crashes import TestCrashes
from distributed_queue.testing.conformance.delays import TestDelays
from distributed_queue.testing.conformance.delete import TestClear, TestDelete
from distributed_queue.testing.conformance.enqueue import TestEnqueue
from distributed_queue.testing.conformance.expiry import TestExpiry
from distributed_queue.testing.conformance.fencing import TestFencing
from distributed_queue.testing.conformance.find import TestFind, TestGet, TestOrderWithinAState, TestPages
from distributed_queue.testing.conformance.fixtures import (
    claimed,
    clock,
    realtime_storage,
    second_realtime_storage,
    second_storage,
    storage,
    threads,
    zoo,
)
from distributed_queue.testing.conformance.history import TestHistory
from distributed_queue.testing.conformance.journal import TestJournal, TestJournalBounds, TestJournalledEvents
from distributed_queue.testing.conformance.leases import TestExtend
from distributed_queue.testing.conformance.life import TestLife
from distributed_queue.testing.conformance.limits_concurrency import TestConcurrencyLimit
from distributed_queue.testing.conformance.limits_rate import TestRateLimit
from distributed_queue.testing.conformance.limits_size import TestSizeLimit
from distributed_queue.testing.conformance.order import TestOrder, TestPlaceInLine
from distributed_queue.testing.conformance.pause import TestPause
from distributed_queue.testing.conformance.replays import TestReplays
from distributed_queue.testing.conformance.requeue import TestRequeue
from distributed_queue.testing.conformance.retention import TestRetention
from distributed_queue.testing.conformance.retry import TestRetry
from distributed_queue.testing.conformance.settle import TestExchange, TestOutcomes, TestSettle
from distributed_queue.testing.conformance.stats import TestAge, TestDue, TestStats
from distributed_queue.testing.conformance.update import TestUpdate
from distributed_queue.testing.conformance.waiting import TestJournalNews, TestWait
from distributed_queue.testing.conformance.workers import TestCommands, TestWorkers

__all__ = [
    "TestAge",
    "TestAwaitClaim",
    "TestBatches",
    "TestCancel",
    "TestClaim",
    "TestClaimFromSeveralQueues",
    "TestClear",
    "TestCommands",
    "TestConcurrency",
    "TestConcurrencyLimit",
    "TestConfigure",
    "TestCounters",
    "TestCrashes",
    "TestDelays",
    "TestDelete",
    "TestDue",
    "TestEnqueue",
    "TestExchange",
    "TestExpiry",
    "TestExtend",
    "TestFencing",
    "TestFind",
    "TestGet",
    "TestHistograms",
    "TestHistory",
    "TestJournal",
    "TestJournalBounds",
    "TestJournalNews",
    "TestJournalledEvents",
    "TestLife",
    "TestNextDue",
    "TestOrder",
    "TestOrderWithinAState",
    "TestOutcomes",
    "TestPages",
    "TestPause",
    "TestPlaceInLine",
    "TestRateLimit",
    "TestReplays",
    "TestRequeue",
    "TestRetention",
    "TestRetry",
    "TestSettle",
    "TestSizeLimit",
    "TestStats",
    "TestSweepLimit",
    "TestUpdate",
    "TestWait",
    "TestWorkers",
    "claimed",
    "clock",
    "realtime_storage",
    "second_realtime_storage",
    "second_storage",
    "storage",
    "threads",
    "zoo",
]
