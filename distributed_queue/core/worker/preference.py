"""In which order a worker that names its queues asks them: always the same one, or each first as often as it weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Preference:
    """Queues in strict order, or, with ``weights``, in turn: smooth weighted round-robin, as nginx does it.

    Of claims that bring a task or a few, each queue with a backlog then gives its share. Where one has nothing, the
    others fill the claim, so no weight keeps a worker idle. Not thread-safe.
    """

    def __init__(self, queues: tuple[str, ...], weights: Mapping[str, int] | None) -> None:
        self._queues = queues
        self._weights = weights and {queue: weights.get(queue, 1) for queue in queues}
        self._credit = dict.fromkeys(queues, 0)

    def order(self) -> tuple[str, ...]:
        """The queues for the next claim, in the order in which they are asked."""
        if not self._weights:
            return self._queues
        credit = self._credit
        for queue, weight in self._weights.items():
            credit[queue] += weight
        ordered = tuple(sorted(credit, key=credit.__getitem__, reverse=True))
        credit[ordered[0]] -= sum(self._weights.values())
        return ordered
