"""What happens to workers and producers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from distributed_queue.testing.campaign.faults import FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed_queue.testing.campaign.members import Member, ProcessMember


STOP = "worker told to stop"


def orderly_ends(workers: Sequence[Member]) -> FaultKind:
    """Workers that are told to stop, and replaced once they have."""
    members = {member.slot: member for member in workers}

    @contextmanager
    def stop(slot: str) -> Iterator[Callable[[], bool]]:
        thread = threading.Thread(target=members[slot].terminate)
        thread.start()
        yield thread.is_alive
        thread.join()
        members[slot].start()

    return FaultKind(STOP, tuple(members), stop, weight=2)


def process_faults(
    workers: Sequence[ProcessMember], producers: Sequence[ProcessMember], lease_seconds: float
) -> list[FaultKind]:
    """SIGKILL; and SIGSTOP, of workers for longer than a lease."""
    members = {member.slot: member for member in (*workers, *producers)}
    working = tuple(member.slot for member in workers)
    producing = tuple(member.slot for member in producers)

    @contextmanager
    def kill(slot: str) -> Iterator[None]:
        members[slot].kill()
        members[slot].start()
        yield

    return [
        FaultKind("worker killed", working, kill, weight=3),
        FaultKind(
            "worker frozen", working, lambda slot: members[slot].frozen(), (1.2 * lease_seconds, 2 * lease_seconds)
        ),
        FaultKind("producer killed", producing, kill),
        FaultKind("producer frozen", producing, lambda slot: members[slot].frozen(), (0.2, 2.0)),
    ]
