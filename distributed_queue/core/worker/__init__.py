"""Workers: they claim tasks, run handlers and report how it went.

::

    storage ◄──exchange── pump ──attempts──► slots (threads) │ event loop
                           ▲                     │
                           └────── mailbox ◄─────┘  ended attempts, news of work
    storage ◄──extend, beat── keeper     leases, time limits, commands
    storage ◄──wait────────── listener   news of work → mailbox

``attempt`` is what they hand to each other; ``book`` knows all of them. Under load, couriers carry the pump's
exchanges.
"""

from distributed_queue.core.worker.config import WorkerConfig
from distributed_queue.core.worker.context import current_task
from distributed_queue.core.worker.logbook import TaskLogHandler
from distributed_queue.core.worker.pool import WorkerPool
from distributed_queue.core.worker.worker import Worker

__all__ = ["TaskLogHandler", "Worker", "WorkerConfig", "WorkerPool", "current_task"]
