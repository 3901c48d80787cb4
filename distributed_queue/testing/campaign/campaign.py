"""Round after round."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from distributed_queue.testing.campaign.rounds import Round

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from distributed_queue.testing.campaign.plan import Plan
    from distributed_queue.testing.campaign.report import RoundReport
    from distributed_queue.testing.namespace import Network


def run(
    plan: Plan, folder: Path, numbers: Iterable[int], *, keep: bool = True, network: Network | None = None
) -> Iterator[RoundReport]:
    """Run the rounds with these numbers, each in a folder of its own below ``folder``.

    Servers that stand in for each other can be cut off from each other only in a ``network`` of their own.

    Without ``keep``, the folders of rounds in which all promises were kept are removed at once.
    """
    for number in numbers:
        place = folder / f"round-{number}"
        place.mkdir(parents=True)
        report = Round(plan, number, place, network).run()
        if report.ok and not keep:
            shutil.rmtree(place)
        yield report
