"""When a failed attempt is tried again: back-off, jitter, cap. Pure: values in, seconds out."""

from __future__ import annotations

import random
from collections.abc import Callable  # noqa: TC003 - in the annotations of a dataclass, which others may evaluate
from dataclasses import dataclass
from enum import Enum

import msgspec

from distributed_queue.errors import InvalidTask

MAX_RETRIES_LIMIT = 10_000
MAX_FACTOR = 1000
MAX_DELAY_SECONDS = 366 * 24 * 3600.0


class Backoff(str, Enum):
    """How the delay grows with the number of failures n (1 after the first)."""

    EXPONENTIAL = "exponential"
    """``base * factor ** (n - 1)``"""
    LINEAR = "linear"
    """``base * n``"""
    FIXED = "fixed"
    """``base``"""
    LIST = "list"
    """``delays[n - 1]``, the last one for all that follow"""

    def __str__(self) -> str:
        return self.value


def _check(name: str, value: object, lowest: float, highest: float, wanted: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise InvalidTask(f"retry.{name} is {value!r:.50}; it is {wanted}", field=f"retry.{name}")


class RetryPolicy(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The delays between a task's attempts. All in seconds.

    The default is exponential, 2 s, 4 s, 8 s … up to 10 min, each shortened by up to half at random ("equal jitter":
    Marc Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015), so that tasks which failed together
    do not come back together.
    """

    backoff: Backoff = Backoff.EXPONENTIAL
    base: float = 2.0
    factor: float = 2.0
    cap: float = 600.0
    """No delay is longer than this."""
    jitter: float = 0.5
    """The share of a delay that is left to chance: 0 none, 0.5 up to half, 1 all of it ("full jitter")."""
    delays: tuple[float, ...] = ()
    """For ``Backoff.LIST``."""

    def __post_init__(self) -> None:
        if not isinstance(self.backoff, Backoff):
            known = ", ".join(Backoff)
            raise InvalidTask(f"retry.backoff is {self.backoff!r:.50}; use Backoff: {known}", field="retry.backoff")
        for name, value in (("base", self.base), ("cap", self.cap), *(("delays", delay) for delay in self.delays)):
            _check(name, value, 0, MAX_DELAY_SECONDS, "from 0 s to 366 days")
        _check("jitter", self.jitter, 0, 1, "a share from 0 to 1")
        _check("factor", self.factor, 1, MAX_FACTOR, f"from 1 to {MAX_FACTOR}")
        if self.backoff is Backoff.LIST and not self.delays:
            raise InvalidTask("retry.delays is empty; a list back-off needs at least one delay", field="retry.delays")

    def delay(self, failures: int, chance: Callable[[], float] = random.random) -> float:
        """Seconds until the next attempt after ``failures`` failed ones (1 or more). ``chance`` gives 0 to 1."""
        longest = min(self.cap, self._raw_delay(failures))
        return longest * (1 - self.jitter * chance())

    def _raw_delay(self, failures: int) -> float:
        if self.backoff is Backoff.FIXED:
            return self.base
        if self.backoff is Backoff.LINEAR:
            return self.base * failures
        if self.backoff is Backoff.LIST:
            return self.delays[min(failures, len(self.delays)) - 1]
        try:
            return float(self.base * self.factor ** (failures - 1))
        except OverflowError:
            return self.cap if self.base else 0.0


DEFAULT_RETRY = RetryPolicy()


def next_delay(
    policy: RetryPolicy, failures: int, max_retries: int, chance: Callable[[], float] = random.random
) -> float | None:
    """Seconds until the next try after the ``failures``-th failure, or None when the retries are used up."""
    if failures > max_retries:
        return None
    return policy.delay(failures, chance)


@dataclass(frozen=True)
class Retry:
    """Which failures of a task function are tried again, how often, and when.

    A failure counts if it is one of ``on`` and none of ``give_up_on``; all others end the task at once as a dead
    letter. Exceeded time limits (``TimeLimitExceeded``) are failures like any other; crashes are counted apart.
    """

    max_retries: int | None = None
    """Tries after the first; None: 3, or what the task itself says."""
    policy: RetryPolicy = DEFAULT_RETRY
    """The delays between them."""
    on: tuple[type[BaseException], ...] = (Exception,)
    give_up_on: tuple[type[BaseException], ...] = ()
    max_elapsed: float | None = None
    """No try begins later than this, in seconds, after the task was submitted."""
    delay: Callable[[int, BaseException], float] | None = None
    """Instead of ``policy``: seconds until the next try, from the number of failures (1 or more) and the latest."""

    def __post_init__(self) -> None:
        if self.max_retries is not None and not 0 <= self.max_retries <= MAX_RETRIES_LIMIT:
            raise InvalidTask(
                f"Retry.max_retries is {self.max_retries!r:.50}; it is a whole number from 0 to {MAX_RETRIES_LIMIT:,}",
                field="max_retries",
            )
        for name, kinds in (("on", self.on), ("give_up_on", self.give_up_on)):
            if not isinstance(kinds, tuple) or not all(isinstance(kind, type) for kind in kinds):
                raise InvalidTask(f"Retry.{name} is {kinds!r:.80}; it is a tuple of exception classes", field=name)

    def counts(self, error: BaseException) -> bool:
        """Whether this failure may be tried again."""
        return isinstance(error, self.on) and not isinstance(error, self.give_up_on)

    def next_delay(self, error: BaseException, failures: int, policy: RetryPolicy | None) -> float:
        """Seconds until the next try after the ``failures``-th failure; ``policy`` is the task's own, if it has one."""
        if policy is None and self.delay is not None:
            return min(MAX_DELAY_SECONDS, max(0.0, self.delay(failures, error)))
        return (policy or self.policy).delay(failures)


DEFAULT_RULE = Retry()
