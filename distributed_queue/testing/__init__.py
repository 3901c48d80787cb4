"""For tests: of applications (``InlineWorker``), and of engines.

The conformance suite, the differential state machine and the history checker prove an engine; they ship with the
package, so that an engine from elsewhere can be held to the same contract. These need ``pytest`` and, for ``machine``,
``hypothesis``; nothing outside of tests imports them.
"""

from __future__ import annotations

from distributed_queue.testing.inline import InlineWorker

__all__ = ["InlineWorker"]
