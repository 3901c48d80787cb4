"""Crash points: every operation that takes more than one step is killed before and after each step.

A first run counts the steps; then one run for each of them dies there. What the dead process asked for afterwards is
not done. A new process repeats the operation as its user would, the queues are let run empty, and the proof's checker
judges what all of them saw. ``python -m distributed_queue.testing.crashpoints`` runs all points and prints the table of
``docs/reliability.md``.

Steps are the calls of the storage port (any engine), the commands on the wire (Redis), and the transactions (SQLite,
where the process is really killed). ``operations`` are those of ``HybridQueue`` and of ``dq``, killed in this process;
``programs`` are a worker, an asyncio client and the REST API, killed by SIGKILL.
"""

from distributed_queue.testing.crashpoints.dying import Death, DyingStorage, Killed
from distributed_queue.testing.crashpoints.operations import OPERATIONS, Operation
from distributed_queue.testing.crashpoints.trials import Outcome, Trials

__all__ = ["OPERATIONS", "Death", "DyingStorage", "Killed", "Operation", "Outcome", "Trials"]
