"""The state machine on the reference itself: that its steps are sound and its comparison sees what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from distributed_queue.core.storage import Exchange, Settlement
from distributed_queue.storage.memory import MemoryStorage
from distributed_queue.testing.lockstep import Difference
from distributed_queue.testing.machine import check_against_memory, machine_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.storage import ClaimRequest


class ForgetsFencing(MemoryStorage):
    """An engine with a fault: it believes every settlement."""

    def exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None) -> Exchange:
        answer = super().exchange(settlements, request)
        return Exchange([True] * len(settlements), answer.claim)


@pytest.mark.slow
@pytest.mark.timeout(600)  # where it fails, it takes its time to find the shortest way there
def test_memory_does_as_memory_does() -> None:
    check_against_memory(MemoryStorage)


def test_a_fault_is_found() -> None:
    unshrunk = settings(phases=[Phase.generate], database=None, deadline=None, print_blob=False)
    with pytest.raises(Difference):
        run_state_machine_as_test(machine_for(ForgetsFencing), settings=unshrunk)
