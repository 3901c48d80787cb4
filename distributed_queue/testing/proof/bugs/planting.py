"""How bugs are described and planted."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed_queue.testing.proof.violations import Check


@dataclass(frozen=True)
class Bug:
    """A rule that can be broken."""

    name: str
    caught_by: frozenset[Check]
    """The checks that are about this rule; a run with the bug has to fail one of them."""
    make: Callable[[], Any]
    place: str = "engine"
    """What has it: the engine, a worker or a client."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Break the rule for a while, in this process."""
        with self.make():
            yield


class Seedbed(list[Bug]):
    """Collects bugs of one place; a decorator for the functions that make their patches."""

    def __init__(self, place: str = "engine") -> None:
        super().__init__()
        self._place = place

    def bug(self, *caught_by: Check) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        """Register a bug under the name of the function."""

        def register(make: Callable[[], Any]) -> Callable[[], Any]:
            self.append(Bug(make.__name__, frozenset(caught_by), make, self._place))
            return make

        return register


def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Any:
    """Replace a function by what ``make`` makes of the original."""
    return patch.object(owner, name, make(getattr(owner, name)))


@contextmanager
def both(*patches: Any) -> Iterator[None]:
    """Several patches as one."""
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
