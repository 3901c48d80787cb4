"""What a SQLite file survives, as SQLite itself says that it writes."""

from __future__ import annotations

from distributed_queue.core.durability import Durability, Promise

_OFF, _NORMAL = 0, 1
_REMEDIES = {
    Durability.DURABLE: "Leave ?synchronous=normal out of the URL.",
    Durability.REPLICATED: "A file is on one host: name a Redis that has replicas.",
}


def judge(synchronous: int, journal_mode: str) -> Promise:
    """What ``PRAGMA synchronous`` of the connection that writes and ``PRAGMA journal_mode`` promise."""
    if journal_mode.lower() != "wal" or synchronous <= _OFF:
        return Promise(
            None,
            f"This file is written in a way that DistributedQ did not choose (journal_mode={journal_mode}, "
            f"synchronous={synchronous}).",
            _REMEDIES,
        )
    if synchronous == _NORMAL:
        return Promise(
            Durability.STANDARD,
            "An acknowledged task survives the death of the process; the last ones may be lost when the machine or its "
            "power dies (synchronous=NORMAL).",
            _REMEDIES,
        )
    return Promise(
        Durability.DURABLE,
        "An acknowledged task survives the death of the process, of the machine and of its power: "
        "every commit is on the disk before it is acknowledged (synchronous=FULL).",
        _REMEDIES,
    )
