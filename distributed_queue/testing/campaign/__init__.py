"""Campaigns: a whole system of real processes, broken at random for as long as one likes, then healed and judged.

``plan`` says what is to be done, ``workload`` and ``handlers`` what the tasks are, ``programs`` and ``producer`` who
submits and works, ``members`` keeps the processes, ``grounds`` has the storages, ``faults`` what can be broken,
``nemesis`` breaks it, ``rounds`` puts a round together, ``report`` has the figures.
"""

from distributed_queue.testing.campaign.campaign import run
from distributed_queue.testing.campaign.plan import Plan

__all__ = ["Plan", "run"]
