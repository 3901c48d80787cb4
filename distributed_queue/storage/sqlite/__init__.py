"""The SQLite engine: a durable queue in one file, for any number of processes of one machine.

::

    verbs (storage) ──► writer ──► group commit ──► one transaction: step ──► queue, rows
                   ╰──► readers                        enqueueing, settling, claiming, control, retention, journal
    hub: who waits in this process, and one thread that notices other processes' commits
"""

from distributed_queue.storage.sqlite.storage import SQLiteStorage

__all__ = ["SQLiteStorage"]
