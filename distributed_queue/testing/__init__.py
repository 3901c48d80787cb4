"""For tests: of applications (``InlineWorker``, ``FaultyStorage``, the pytest plugin), and of engines.

The conformance suite, the differential state machine and the history checker prove an engine; they ship with the
package, so that an engine from elsewhere can be held to the same contract. These need ``pytest`` and, for ``machine``,
``hypothesis``; nothing outside of tests imports them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed_queue.testing.faulty import FaultyStorage
    from distributed_queue.testing.inline import InlineWorker

__all__ = ["FaultyStorage", "InlineWorker"]

_HOMES = {"FaultyStorage": "faulty", "InlineWorker": "inline"}


def __getattr__(name: str) -> object:
    # When first asked for: the pytest plugin is loaded into every test run, also into those that do not use it.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
