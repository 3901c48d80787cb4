"""One round: set up, break, heal, drain, dump, check."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.errors import StorageError
from distributed_queue.testing.campaign.events import Events
from distributed_queue.testing.campaign.grounds import GROUNDS
from distributed_queue.testing.campaign.members import Crew
from distributed_queue.testing.campaign.nemesis import Nemesis
from distributed_queue.testing.campaign.plan import QUEUES, UNTRIMMED
from distributed_queue.testing.campaign.programs import Spec
from distributed_queue.testing.campaign.report import RoundReport
from distributed_queue.testing.proof import HistoryWriter, RecordingStorage, check_files
from distributed_queue.testing.proof.records import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.testing.campaign.faults import FaultKind
    from distributed_queue.testing.campaign.grounds import Ground
    from distributed_queue.testing.campaign.plan import Plan
    from distributed_queue.testing.namespace import Network

_LOOK_SECONDS = 0.1
_START_SECONDS = 60.0
MAX_CRASHES = 3


def _chosen(kinds: Sequence[FaultKind], names: Sequence[str], missing: Collection[str]) -> list[FaultKind]:
    """Those with these names; all of them if there are no names."""
    known = [kind.name for kind in kinds]
    if strangers := set(names) - set(known) - set(missing):
        raise ValueError(f"no such faults: {', '.join(sorted(strangers))}; there are: {', '.join(known)}")
    return [kind for kind in kinds if not names or kind.name in names]


class Round:
    """A round of a campaign, in a folder of its own, which is left as it is for whoever wants to look."""

    def __init__(self, plan: Plan, number: int, folder: Path, network: Network | None) -> None:
        self._plan = plan
        self._network = network
        self._number = number
        self._folder = folder
        self._history = HistoryWriter(folder / "campaign.jsonl")

    def run(self) -> RoundReport:
        """Do it all."""
        plan = self._plan
        with GROUNDS[plan.engine](self._folder, plan.options, self._network) as ground:
            queue = self._open(ground)
            crew = self._recruit(ground)
            kinds = _chosen(ground.faults(plan.lease_seconds), plan.only, ground.missing)
            nemesis = Nemesis(kinds, crew, self._history, plan.seed_of(self._number, "faults"), plan.pause_seconds)
            crew.start()
            try:
                self._wait_until_at_work(queue)
                began = time.monotonic()
                nemesis.run(plan.round_seconds, plan.faults)
                faulted = time.monotonic() - began
                self._drain(queue, crew, nemesis)
                for member in crew.workers:
                    member.terminate()
            finally:
                crew.kill()
            self._dump(queue)
            version = ground.version()
        return self._judge(ground, nemesis, version, faulted, time.monotonic() - began)

    def _open(self, ground: Ground) -> HybridQueue:
        """Set the queues up, and say how."""
        queue = ground.open()
        for name, limits in QUEUES.items():
            queue.configure(name, **UNTRIMMED, **limits, max_crashes=MAX_CRASHES)
            self._history.write(Settings(queue=name, **limits, max_crashes=MAX_CRASHES, claims_last=ground.claims_last))
        return queue

    def _recruit(self, ground: Ground) -> Crew:
        plan = self._plan
        spec = Spec(
            slot="",
            name="",
            url="",
            folder=self._folder,
            lease_seconds=plan.lease_seconds,
            slots=plan.slots,
            rate=plan.rate / plan.producers,
            seed=plan.seed_of(self._number, "tasks"),
            hostile=ground.hostile,
            hostile_every=plan.hostile_every,
        )
        return ground.recruit(
            [replace(spec, slot=f"worker-{number}") for number in range(1, plan.workers + 1)],
            [replace(spec, slot=f"producer-{number}") for number in range(1, plan.producers + 1)],
        )

    def _wait_until_at_work(self, queue: HybridQueue) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if any(stats.counts[TaskStatus.COMPLETED] for stats in queue.queue_stats()):
                return
            time.sleep(_LOOK_SECONDS)
        raise TimeoutError("no task was completed although nothing was broken yet")

    def _drain(self, queue: HybridQueue, crew: Crew, nemesis: Nemesis) -> None:
        """Until nothing is left to do, or for as long as the plan says: what is left then is a violation."""
        for member in crew.producers:
            member.terminate()
        workers = Crew(crew.workers, ())
        nemesis.crew = workers
        end = time.monotonic() + self._plan.drain_seconds
        while time.monotonic() < end and self._left(queue):
            nemesis.watch()
            time.sleep(_LOOK_SECONDS)

    def _left(self, queue: HybridQueue) -> int:
        try:
            every = queue.queue_stats()
        except StorageError:
            return 1
        return sum(stats.depth + stats.counts[TaskStatus.PROCESSING] for stats in every)

    def _dump(self, queue: HybridQueue) -> None:
        recording = RecordingStorage(queue.storage, self._history, "campaign")
        for name in QUEUES:
            recording.dump(name, drained=True)
        queue.close()
        self._history.close()

    def _judge(self, ground: Ground, nemesis: Nemesis, version: str, faulted: float, seconds: float) -> RoundReport:
        began = time.monotonic()
        proof = check_files(sorted(self._folder.glob("*.jsonl")), recovery_seconds=self._plan.recovery_seconds)
        events = Events.read(self._folder / "campaign.jsonl")
        resumed, cut_short = events.resumptions(ground.returns)
        return RoundReport(
            number=self._number,
            proof=proof,
            faults=dict(nemesis.counts),
            missing=ground.missing,
            resumed=resumed,
            cut_short=cut_short,
            stops=events.stops(),
            version=version,
            faulted_seconds=faulted,
            seconds=seconds,
            check_seconds=time.monotonic() - began,
            resume_limit=self._plan.resume_seconds,
        )
