"""What a campaign needs to know of a storage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.testing.campaign.faults.processes import orderly_ends, process_faults
from distributed_queue.testing.campaign.members import Crew, ProcessMember
from distributed_queue.testing.campaign.programs import produce, work
from distributed_queue.testing.campaign.workload import DEADLY, SURVIVABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from distributed_queue.testing.campaign.faults import FaultKind
    from distributed_queue.testing.campaign.programs import Spec
    from distributed_queue.testing.namespace import Network


class Ground(ABC):
    """A storage for one round, with the crew that works over it; a context manager."""

    hostile: tuple[str, ...] = (*SURVIVABLE, *DEADLY)
    """The hostile kinds of tasks that may be run over it."""
    claims_last = True
    """Whether claims, and extensions of leases, survive all faults."""

    def __init__(self, folder: Path, options: Mapping[str, str], network: Network | None = None) -> None:
        self._folder = folder
        self._options = options
        self._network = network
        self._cleanup = ExitStack()
        self.returns: list[float] = []
        """When the storage was back after it had not served anybody, in epoch seconds."""
        self.missing: dict[str, str] = {}
        """Kinds of faults that this machine does not allow, and why."""

    @abstractmethod
    def start(self) -> None:
        """Set the storage up, empty."""

    @abstractmethod
    def open(self) -> HybridQueue:
        """For whoever runs the campaign, past all faults of the network."""

    @abstractmethod
    def recruit(self, workers: Sequence[Spec], producers: Sequence[Spec]) -> Crew:
        """Make the crew. Once."""

    @abstractmethod
    def faults(self, lease_seconds: float) -> list[FaultKind]:
        """What can befall storage and crew."""

    @abstractmethod
    def version(self) -> str:
        """What it is, with its version."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._cleanup.close()


class ProcessGround(Ground):
    """A storage that processes share."""

    _workers: Sequence[ProcessMember] = ()
    _producers: Sequence[ProcessMember] = ()

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is."""

    def address(self, slot: str) -> str:
        """Where the member in this place reaches it."""
        return self.url

    def open(self) -> HybridQueue:
        """For whoever runs the campaign, past all faults of the network."""
        return HybridQueue.from_url(self.url)

    def recruit(self, workers: Sequence[Spec], producers: Sequence[Spec]) -> Crew:
        """Make the crew. Once."""
        self._workers = [ProcessMember(replace(spec, url=self.address(spec.slot)), work) for spec in workers]
        self._producers = [ProcessMember(replace(spec, url=self.address(spec.slot)), produce) for spec in producers]
        return Crew(self._workers, self._producers)

    def faults(self, lease_seconds: float) -> list[FaultKind]:
        """Of the processes."""
        return [
            orderly_ends(self._workers),
            *process_faults(self._workers, self._producers, lease_seconds),
        ]
