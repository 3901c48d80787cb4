"""Measures how fast it is, on this machine, with CPU time beside each rate: ``python -m benchmarks``.

::

    scenarios/   what is measured, a file each; adding one is a file and a line in ``SCENARIOS``
    places       the storages that are measured, each fresh for each measurement
    worker       the worker that is measured, in a process of its own
    figures      what a measurement gives, and medians of several
    report       the table, and the JSON

Not part of the package: it is for the repository's own figures. ``dq bench`` measures a user's storage.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
"""What a process needs to find this package and the one that is measured."""
# What is installed has its bytecode; without it, each start would compile all that it loads.
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


def end_in_order() -> None:
    """Let SIGTERM end the servers and workers that were started, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
