"""The worker's conversation with the storage: one thread that decides, one exchange at a time or, under load, two."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from distributed_queue.core.options import is_apart
from distributed_queue.core.storage import ClaimRequest, Outcome
from distributed_queue.core.worker.attempt import Attempt, State
from distributed_queue.core.worker.courier import Couriers, Errand
from distributed_queue.core.worker.prefetch import LONGEST_HOLD_SECONDS, Pace
from distributed_queue.core.worker.suspicion import ALONE_AFTER, may_keep
from distributed_queue.core.worker.turns import FEW, Offer
from distributed_queue.core.worker.vigil import CALL_AGAIN_SECONDS, Vigil
from distributed_queue.errors import DistributedQueueError, QueueClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed_queue.core.storage import Exchange, Settlement, Storage
    from distributed_queue.core.worker.book import AttemptBook
    from distributed_queue.core.worker.courier import ExchangeListener
    from distributed_queue.core.worker.listener import Listener
    from distributed_queue.core.worker.turns import Turns

logger = logging.getLogger("distributed_queue.worker")

_LONGEST_IDLE_SECONDS = 10.0
"""After this long without news an idle worker claims all the same."""
_LONGEST_BACKOFF_SECONDS = 2.0
_GIVE_UP_SECONDS = 5.0
"""How long a stopping worker tries to report outcomes to a storage that does not answer."""
_BULK = 64
"""Tasks to report or to claim for which a second exchange under way is worth its cost."""
_COMPLETE = Outcome.COMPLETE
_FAILED = frozenset({Outcome.RETRY, Outcome.BURY})


class Pump(threading.Thread):
    """Takes what is in its mailbox (ended attempts, news of work, nudges), makes one exchange of it, hands tasks on."""

    def __init__(  # noqa: PLR0913 - the parts it connects
        self,
        name: str,
        storage: Storage,
        worker_id: str,
        *,
        book: AttemptBook,
        listener: Listener,
        start_attempts: Callable[[Sequence[Attempt]], None],
        may_prefetch: Callable[[], bool],
        lease_seconds: float,
        max_workers: int,
        turns: Turns,
        first_backoff: float,
        listeners: Sequence[ExchangeListener] = (),
    ) -> None:
        super().__init__(name=f"dq-{name}-pump", daemon=True)
        self._storage = storage
        self._worker_id = worker_id
        self._book = book
        self._listener = listener
        self._start_attempts = start_attempts
        self._may_prefetch = may_prefetch
        self._lease_seconds = lease_seconds
        self._turns = turns
        self._mailbox: SimpleQueue[Attempt | Errand | Offer | tuple[str, ...] | None] = SimpleQueue()
        self._couriers = Couriers(name, storage, self._mailbox.put)
        self._under_way: list[Errand] = []
        self._vigil = Vigil(storage)
        self._unreported: list[Attempt] = []
        self._in_advance: deque[tuple[float, list[Attempt]]] = deque()
        """Claims beyond what could begin at once, and until when they may wait, on the monotonic clock."""
        self._alone: Attempt | None = None  # beside which nothing is to be claimed
        self._kept: list[Attempt] = []  # which begin once what was claimed with them was given back
        self._first_backoff = first_backoff
        self._exchange_listeners = listeners
        self._backoff = 0.0
        self._retry_at = 0.0
        self._last_exchange = time.monotonic()
        self._finishing_at: float | None = None
        self._closed = False
        """Whether the queue was closed under us: then there is nobody to report to."""
        self.max_workers = max_workers
        self.paused = self.draining = self._leaving = False
        self.pace = Pace()
        self.claimed_at = time.monotonic()
        """When a claim was last answered, on the monotonic clock."""
        self.completed = self.failed = self.lost = 0

    @property
    def runs_alone(self) -> bool:
        """Whether a task is held beside which nothing is claimed."""
        return self._alone is not None and self._alone.state is not State.ENDED

    # Called by other threads

    def ended(self, attempt: Attempt) -> None:
        """An attempt is over; its settlement is to be reported."""
        self._mailbox.put(attempt)

    def arrived(self, queues: tuple[str, ...]) -> None:
        """There may be work in these queues."""
        self._mailbox.put(queues)

    def came_back(self, errand: Errand) -> None:
        """A claim that waited is over."""
        self._mailbox.put(errand)

    def pause(self) -> None:
        """Claim nothing more for now."""
        self.paused = True
        self._vigil.call_off()
        self.nudge()

    def resume(self) -> None:
        """Undo ``pause``."""
        self.paused = False
        self.nudge()

    def drain(self) -> None:
        """Claim nothing more, and give back what has not begun."""
        self._leaving = True
        self._vigil.call_off()
        self.draining = True
        self.nudge()

    def nudge(self) -> None:
        """Something about the worker changed: look, and claim."""
        self._mailbox.put(None)

    def offer_queues(self, queues: tuple[str, ...]) -> None:
        """These queues exist; a worker that takes from all notices new ones."""
        common = tuple(queue for queue in queues if not is_apart(queue))
        if common != self._turns.queues:
            self._mailbox.put(Offer(common))

    def finish(self) -> None:
        """Report what there is to report, then end."""
        self._finishing_at = time.monotonic()
        self.drain()

    # The loop

    def run(self) -> None:
        """Converse until finished."""
        while not self._over():
            self._collect()
            if not self._may_wait():
                self._vigil.hurry()
            if self.draining:
                self._withdraw()
            elif self._in_advance:
                self._give_back_overdue()
            if self._unreported or self._wants_claim():
                self._exchange()
        self._couriers.close()

    def _over(self) -> bool:
        if self._finishing_at is None:
            return False
        unreported = len(self._unreported) + sum(len(errand.reported) for errand in self._under_way)
        if time.monotonic() > self._finishing_at + _GIVE_UP_SECONDS:
            if unreported:
                logger.error("%d outcomes could not be reported; their tasks run again", unreported)
            return True
        return not unreported and not self._under_way and self._vigil.errand is None and self._mailbox.empty()

    def _collect(self) -> None:
        """Wait until there is something to do, then take all that is in the mailbox."""
        mailbox = self._mailbox
        try:
            message = mailbox.get(timeout=self._idle_seconds())
        except Empty:
            return
        while True:
            if isinstance(message, Attempt):
                self._unreported.append(message)
            elif isinstance(message, Errand):
                if message is self._vigil.errand:
                    self._vigil.end()
                else:
                    self._under_way.remove(message)
                self._conclude(message)
            else:
                self._hear(message)
            try:
                message = mailbox.get_nowait()
            except Empty:
                return

    def _hear(self, message: Offer | tuple[str, ...] | None) -> None:
        if isinstance(message, Offer):
            if self._turns.offer(message.queues):
                self._storage.wake()
        elif message:
            self._turns.hear(message, time.monotonic())
        else:
            self._turns.ask_all()

    def _withdraw(self) -> None:
        """Give back what has not begun."""
        self._in_advance.clear()
        self._unreported += [attempt for attempt in self._book.all() if attempt.withdraw()]

    def _give_back_overdue(self) -> None:
        """Give back what was claimed in advance and could not begin: other workers may have room."""
        now = time.monotonic()
        while self._in_advance and now >= self._in_advance[0][0]:
            _, attempts = self._in_advance.popleft()
            overdue = [attempt for attempt in attempts if attempt.state is State.WAITING and attempt.withdraw()]
            if overdue:
                self.pace.observe_stall()
                self._unreported += overdue

    def _idle_seconds(self) -> float:
        seconds = self._seconds_to_act()
        if self._in_advance:
            return max(0.0, min(seconds, self._in_advance[0][0] - time.monotonic()))
        return seconds

    def _seconds_to_act(self) -> float:
        now = time.monotonic()
        if self._vigil.is_called_off:
            return CALL_AGAIN_SECONDS
        if not self._may_send():
            return _LONGEST_IDLE_SECONDS if self._finishing_at is None else _GIVE_UP_SECONDS
        if self._unreported:
            wake_at = self._retry_at
        elif self.paused or self.draining or not self._turns.queues or not self._wants_more():
            return _LONGEST_IDLE_SECONDS
        else:
            wake_at = max(self._turns.next_at, self._retry_at)
        return min(_LONGEST_IDLE_SECONDS, max(0.0, wake_at - now))

    def _prefetch(self) -> int:
        return self.pace.prefetch() if self._may_prefetch() else 0

    def _is_hurried(self) -> bool:
        """Whether exchanges are to overlap."""
        return self._storage.exchanges_at_once > 1 and self._prefetch() >= _BULK

    def _wants_more(self) -> bool:
        return not self.runs_alone and self._room() > 0

    def _free_slots(self, arriving: int) -> int:
        return self.max_workers - (len(self._book) - arriving)

    def _room(self) -> int:
        """How many more tasks may be claimed."""
        held = len(self._book) + self._vigil.asked
        for errand in self._under_way:
            held += errand.asked - len(errand.reported)
        return self.max_workers + self._prefetch() - held

    def _may_send(self) -> bool:
        """Whether an exchange may begin: one if none is under way, a second if it is worth it."""
        if not self._under_way:
            return True
        if len(self._under_way) >= self._storage.exchanges_at_once:
            return False
        backlog = time.monotonic() >= self._turns.next_at
        return len(self._unreported) >= _BULK or (backlog and self._room() >= _BULK)

    def _wants_claim(self) -> bool:
        if self.paused or self.draining or not self._turns.queues or time.monotonic() < self._retry_at:
            return False
        # News that there is no room for is passed on, by a claim of none: another worker may be waiting.
        return self._turns.has_news or (self._wants_more() and time.monotonic() >= self._turns.next_at)

    def _exchange(self) -> None:
        if self._closed:
            self._drop_unreported()
            return
        if not self._may_send() or (time.monotonic() < self._retry_at and self._finishing_at is None):
            return
        reported, settlements = self._split()
        request = self._request(len(reported))
        if not settlements and request is None:
            return
        self._unreported = []
        errand = Errand(reported, settlements, request, time.monotonic())
        if self._under_way or self._is_hurried():
            self._under_way.append(errand)
            self._couriers.send(errand)
        else:
            errand.run(self._storage)
            self._conclude(errand)

    def _conclude(self, errand: Errand) -> None:
        """Do what follows from an exchange."""
        if errand.answer is None:
            self._unreported = errand.reported + self._unreported
            if errand.request is not None:
                self._turns.fail(errand.request)
            self._fail(errand.error)
            return
        if self._backoff:
            logger.warning("the storage at %s is back", self._storage.url)
            self._backoff = 0.0
        if not errand.waits:
            self._observe(errand)
        self._book.discard(errand.reported)
        if self._kept:
            kept, self._kept = self._kept, []
            self._start_attempts(kept)
        if errand.request is not None:
            self._take(errand.request, errand.answer, errand.started)
        # Last, so that slots do not wait for it.
        self._account(errand, errand.answer.settled)
        if self._exchange_listeners:
            self._tell(errand, errand.answer)

    def _tell(self, errand: Errand, answer: Exchange) -> None:
        seconds = 0.0 if errand.waits else time.monotonic() - errand.started
        for listener in self._exchange_listeners:
            try:
                listener(errand.settlements, answer, seconds)
            except Exception:
                logger.exception("a listener to the worker's exchanges failed")

    def _fail(self, error: Exception | None) -> None:
        if isinstance(error, QueueClosed):
            self._closed = self._leaving = self.draining = True
            self._withdraw()
            self._drop_unreported()
        elif isinstance(error, DistributedQueueError):
            self._back_off(error)
        else:
            logger.error("the worker's exchange with the storage failed", exc_info=error)
            self._back_off(None)

    def _split(self) -> tuple[list[Attempt], list[Settlement]]:
        """The attempts to report with their settlements; those with nothing to report are struck out at once."""
        if not self._unreported:
            return [], []
        reported = [attempt for attempt in self._unreported if attempt.settlement is not None]
        if len(reported) < len(self._unreported):
            self._book.discard([attempt for attempt in self._unreported if attempt.settlement is None])
            self.lost += len(self._unreported) - len(reported)
            self._unreported = reported
        return reported, [attempt.settlement for attempt in reported if attempt.settlement is not None]

    def _request(self, settling: int) -> ClaimRequest | None:
        if self.paused or self.draining or not self._turns.queues:
            return None
        room = 0 if self.runs_alone else self._room() + settling
        if room <= 0 and not self._turns.has_news:
            return None
        if self._is_hurried():
            # About half of what the worker may hold, so that the handlers have the other half meanwhile.
            room = min(room, self.max_workers + self._prefetch() // 2)
        settled = (attempt.claimed.queue for attempt in self._unreported)
        # One that holds nothing has time to ask all.
        most = FEW if len(self._book) else len(self._turns.queues)
        asked = self._turns.ask(time.monotonic(), settled, wants=room > 0, most=most)
        return ClaimRequest(asked, self._worker_id, max(0, room), self._lease_seconds) if asked else None

    def _drop_unreported(self) -> None:
        self._book.discard(self._unreported)
        self.lost += len(self._unreported)
        self._unreported = []

    def _observe(self, errand: Errand) -> None:
        now = time.monotonic()
        self.pace.observe_exchange(now - errand.started, len(errand.reported), now - self._last_exchange)
        self._last_exchange = now

    def _account(self, errand: Errand, settled: list[bool]) -> None:
        if not errand.reported:
            return
        for settlement, counted in zip(errand.settlements, settled, strict=True):
            if not counted:
                self.lost += 1
                logger.warning(
                    "the outcome of task %s, attempt %d, did not count: its lease had ended",
                    settlement.id,
                    settlement.attempt,
                )
            elif settlement.outcome is _COMPLETE:
                self.completed += 1
            elif settlement.outcome in _FAILED:
                self.failed += 1
        self.pace.observe_handlers(sum(attempt.seconds for attempt in errand.reported) / len(errand.reported))

    def _take(self, request: ClaimRequest, answer: Exchange, started: float) -> None:
        self.claimed_at = time.monotonic()
        claim = answer.claim
        if claim.tasks:
            lease_end = started + request.lease_seconds
            attempts = [Attempt(claimed, lease_end) for claimed in claim.tasks]
            self._book.add(attempts)
            if not self.draining:
                attempts = self._keep_apart(attempts) if not self.runs_alone else self._refuse(attempts)
            if len(self._book) > self.max_workers:
                self._in_advance.append((self.claimed_at + LONGEST_HOLD_SECONDS, attempts))
            if self.draining:
                self._withdraw()
            elif attempts:
                self._start_attempts(attempts)
        idle = _LONGEST_IDLE_SECONDS * random.uniform(0.8, 1.0)  # noqa: S311 - jitter, not a secret
        self._turns.answer(request, claim, started, self.claimed_at, idle)
        if request.limit > len(claim.tasks) and self._turns.next_at > self.claimed_at:
            self._listen()

    def _may_wait(self) -> bool:
        return not (self._leaving or self.paused or self.runs_alone)

    def _listen(self) -> None:
        """Hear of work that comes, or claim it as it comes."""
        if len(self._turns.queues) != 1:
            self._listener.arm(self._turns.queues)
            return
        with self._vigil.gate:
            room = self._room()
            if self._vigil.errand is not None or not self._may_wait() or room <= 0:
                return
            now = time.monotonic()
            request = ClaimRequest(self._turns.ask(now, (), wants=True), self._worker_id, room, self._lease_seconds)
            errand = Errand([], [], request, now, waits=True)
            self._vigil.begin(errand)
        self._listener.send(errand)

    def _refuse(self, attempts: list[Attempt]) -> list[Attempt]:
        """Give back what came beside a task that is to be alone; what is left of them, nothing."""
        self._unreported += [attempt for attempt in attempts if attempt.withdraw()]
        return []

    def _keep_apart(self, attempts: list[Attempt]) -> list[Attempt]:
        """Give back what is not to be held beside tasks whose workers died; what may begin right away."""
        kept = may_keep([attempt.claimed.crashes for attempt in attempts], self._free_slots(len(attempts)))
        if kept < len(attempts):
            self.pace.observe_stall()
            self._unreported += [attempt for attempt in attempts[kept:] if attempt.withdraw()]
            self._kept += attempts[:kept]
        if kept and attempts[0].claimed.crashes >= ALONE_AFTER:
            self._alone = attempts[0]
        return attempts if kept == len(attempts) else []

    def _back_off(self, error: DistributedQueueError | None) -> None:
        if not self._backoff and error is not None:
            logger.warning("%s; the worker goes on trying", error)
        self._backoff = min(_LONGEST_BACKOFF_SECONDS, self._backoff * 2 or self._first_backoff)
        self._retry_at = time.monotonic() + self._backoff * random.uniform(0.5, 1.0)  # noqa: S311
        self._turns.ask_all()
