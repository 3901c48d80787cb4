"""The worker as programs use it: it puts the parts together, starts and stops them."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.ids import new_task_id
from distributed_queue.core.storage import Outcome
from distributed_queue.core.worker.book import AttemptBook
from distributed_queue.core.worker.children import Children
from distributed_queue.core.worker.config import LEASE_SECONDS, WorkerConfig, check_slots
from distributed_queue.core.worker.handlers import HandlerTable
from distributed_queue.core.worker.inspection import Inspection
from distributed_queue.core.worker.keeper import Keeper, identity
from distributed_queue.core.worker.listener import Listener
from distributed_queue.core.worker.places import Places
from distributed_queue.core.worker.progress import store_progress
from distributed_queue.core.worker.pump import Pump
from distributed_queue.core.worker.runner import Runner
from distributed_queue.core.worker.turns import Turns
from distributed_queue.core.worker.usage import CpuShare, resident_bytes
from distributed_queue.errors import DistributedQueueError, LeaseLost, TaskCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.retry import Retry, RetryPolicy
    from distributed_queue.core.storage import Command, WorkerInfo
    from distributed_queue.core.worker.attempt import Attempt
    from distributed_queue.core.worker.courier import Errand, ExchangeListener
    from distributed_queue.errors import HandlerError

logger = logging.getLogger("distributed_queue.worker")

_SILENT_SECONDS = 30.0
"""A worker with room that has not claimed for this long is not well."""
_JOIN_SECONDS = 10.0
_HURRY_SECONDS = 0.1
"""How soon a worker that drains notices that it is to hurry."""


class Worker:
    """Runs handlers for the tasks of a queue, in this process. It can be started again after it was stopped."""

    def __init__(self, queue: HybridQueue, config: WorkerConfig | None = None) -> None:
        self.queue = queue
        self.config = config or WorkerConfig()
        self._handlers = HandlerTable()
        self._listeners: tuple[ExchangeListener, ...] = ()
        self._lock = threading.Lock()
        self._parts: _Parts | None = None
        self._stopped = threading.Event()
        self._stopped.set()
        self._paused = False
        self._worn_out = False
        self.worker_id = ""
        """Unique to each start; empty before the first."""

    @property
    def running(self) -> bool:
        """Whether the worker was started and has not begun to stop."""
        parts = self._parts
        return parts is not None and not parts.pump.draining

    @property
    def worn_out(self) -> bool:
        """Whether it stops, or has stopped, because too many handlers are stuck: see ``WorkerConfig.max_stuck``."""
        parts = self._parts
        return self._worn_out if parts is None else parts.worn_out

    @property
    def handlers(self) -> dict[str, Callable[[Any], Any]]:
        """Task type to function."""
        return self._handlers.functions()

    def register_handler(
        self,
        task_type: str,
        function: Callable[[Any], Any],
        *,
        retry: Retry | RetryPolicy | None = None,
        timeout: float | None = None,
        executor: str | None = None,
    ) -> None:
        """Let ``function(data)`` run tasks of this type. ``def`` runs in a thread, ``async def`` on the event loop.

        With ``executor="process"`` it runs in a child process, which is killed when its time is over; the function has
        to be at the top of a module, so that the child finds it. What it returns is the task's result and has to be
        JSON-compatible. ``retry`` and ``timeout`` (seconds) apply to tasks that have none of their own.
        """
        self._handlers.register(task_type, function, retry=retry, timeout=timeout, executor=executor)

    def after_exchange(self, listener: ExchangeListener) -> None:
        """Call ``listener(settlements, answer, seconds)`` after each exchange with the storage, from the next start on.

        The worker waits for it; what it raises is logged. A second time for the same one changes nothing.
        """
        if listener not in self._listeners:
            self._listeners = (*self._listeners, listener)

    def start(self) -> None:
        """Start to work. Does nothing if the worker runs; one that is about to stop is started once it has stopped.

        Raises ``StorageUnavailable``.
        """
        while True:
            with self._lock:
                if self._parts is None:
                    self._begin()
                    return
                if not self._parts.stopping:
                    return
            self._stopped.wait()

    def stop(self, wait: bool = True, timeout: float | None = None) -> None:
        """Take no more tasks, let handlers finish within ``timeout`` (None: ``shutdown_timeout``), give back the rest.

        What is given back has not used up a retry. ``wait=False`` returns at once and stops in the background. A worker
        that is about to stop is hurried by a second call with a shorter ``timeout``.
        """
        deadline = time.monotonic() + (self.config.shutdown_timeout if timeout is None else timeout)
        with self._lock:
            parts = self._parts
            if parts is not None:
                parts.deadline = min(parts.deadline, deadline)
                if not parts.stopping:
                    parts.stopping = True
                    threading.Thread(target=self._stop, args=(parts,), name=f"dq-{self.config.name}-stop").start()
        if wait:
            self._stopped.wait()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the worker has stopped; False when the time is over."""
        return self._stopped.wait(timeout)

    def pause(self) -> None:
        """Claim nothing more for now; what runs goes on."""
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Undo ``pause``."""
        self._set_paused(paused=False)

    def scale(self, max_workers: int) -> None:
        """Change how many handlers may run at the same time. Fewer: those that run too many finish first."""
        self.config.max_workers = check_slots(max_workers)
        parts = self._parts
        if parts is not None:
            parts.pump.max_workers = max_workers
            parts.places.resize(max_workers)
            parts.pump.nudge()

    def inspect(self) -> None:
        """Look where the handlers are now, and report it to the storage for a while. Does nothing if it is stopped."""
        parts = self._parts
        if parts is not None:
            parts.inspection.take()
            parts.keeper.hurry()

    def obey(self, command: Command) -> None:
        """Do what a command says that is about the worker, and not about one of its tasks."""
        if command.action == "pause":
            self.pause()
        elif command.action == "resume":
            self.resume()
        elif command.action == "scale" and command.max_workers is not None:
            self.scale(command.max_workers)
        elif command.action == "stop":
            self.stop(wait=False)
        elif command.action == "inspect":
            self.inspect()

    def is_claiming(self) -> bool:
        """Whether the worker does its work: it has claimed lately, or is paused, or all its slots are busy."""
        parts = self._parts
        if parts is None or parts.pump.draining or not parts.pump.is_alive():
            return False
        busy = len(parts.book) >= parts.pump.max_workers or parts.pump.runs_alone
        return busy or self._paused or time.monotonic() - parts.pump.claimed_at < _SILENT_SECONDS

    def get_stats(self) -> dict[str, Any]:
        """Figures of this start of the worker."""
        parts = self._parts
        pump = parts.pump if parts else None
        return {
            "id": self.worker_id,
            "name": self.config.name,
            "running": self.running,
            "state": "stopped" if pump is None else "draining" if parts and parts.stopping else "running",
            "paused": self._paused,
            "active_tasks": len(parts.book.running()) if parts else 0,
            "max_workers": self.config.max_workers,
            "handlers": sorted(self.handlers),
            "queues": None if self.config.queues is None else list(self.config.queues),
            "processed": pump.completed if pump else 0,
            "failed": pump.failed if pump else 0,
            "lost": pump.lost if pump else 0,
            "stuck": parts.places.stuck if parts else 0,
        }

    def _set_paused(self, *, paused: bool) -> None:
        self._paused = paused
        parts = self._parts
        if parts is not None:
            if paused:
                parts.pump.pause()
            else:
                parts.pump.resume()

    def _begin(self) -> None:
        self.queue.health()
        self.worker_id = f"{self.config.name}-{new_task_id()}"
        parts = _Parts(self, self._handlers, self._listeners, paused=self._paused)
        parts.start()
        self._stopped.clear()
        self._parts = parts

    def _stop(self, parts: _Parts) -> None:
        try:
            parts.stop()
        finally:
            with self._lock:
                self._worn_out = parts.worn_out
                self._parts = None
            self._stopped.set()


class _Parts:
    """One start of a worker: its threads, wired."""

    def __init__(
        self, worker: Worker, handlers: HandlerTable, listeners: Sequence[ExchangeListener], *, paused: bool
    ) -> None:
        config, queue = worker.config, worker.queue
        storage = queue.storage
        name = config.name
        lease_seconds = config.lease_seconds or min(LEASE_SECONDS, queue.visibility_timeout)
        self.stopping = False
        self.worn_out = False
        """Whether it stops because too many handlers are stuck."""
        self.deadline = float("inf")
        """When what still runs is given back, on the monotonic clock."""
        self._ignore_news: Callable[[], None] = lambda: None
        self._worker = worker
        self._storage = storage
        self._identity = identity(name, worker.worker_id)
        self.book = AttemptBook()
        self.listener = Listener(name, storage, self._arrived, self._came_back)
        self.pump = Pump(
            name,
            storage,
            worker.worker_id,
            book=self.book,
            listener=self.listener,
            start_attempts=self._start_attempts,
            may_prefetch=lambda: not handlers.mixed,
            lease_seconds=lease_seconds,
            max_workers=config.max_workers,
            turns=Turns(None if config.queues is None else tuple(config.queues), config.queue_weights),
            first_backoff=config.poll_interval,
            listeners=listeners,
        )
        self.pump.paused = paused
        self.keeper = Keeper(
            name,
            storage,
            self.book,
            lease_seconds=lease_seconds,
            stuck_seconds=config.stuck_seconds,
            describe=self._describe,
            obey=self._obey,
            queues_seen=self.pump.offer_queues,
            give_up=self._give_up,
        )
        children = Children(config)
        self.runner = self._make_runner(handlers, children)
        self.places = Places(config, handlers, self.runner, children)
        self.inspection = Inspection(self.book.running, self.places.stuck_attempts)
        self._cpu = CpuShare()

    def _make_runner(self, handlers: HandlerTable, children: Children) -> Runner:
        storage = self._storage
        return Runner(
            handlers,
            error_handler=self._worker.config.error_handler,
            ended=self.pump.ended,
            limited=self.keeper.limited,
            keep_progress=lambda attempt: store_progress(storage, attempt),
            result_limit_bytes=self._worker.queue.max_body_bytes,
            children=children,
        )

    def start(self) -> None:
        """Register, then start the threads."""
        self.keeper.beat()
        self._ignore_news = self._worker.queue.on_news(self.keeper.hurry)
        self.listener.start()
        self.keeper.start()
        self.pump.start()

    def stop(self) -> None:
        """Drain; then give back what is left, and end the threads."""
        self._ignore_news()
        self.listener.disarm()
        self.pump.drain()
        while not self.book.wait_empty(_HURRY_SECONDS):
            if time.monotonic() >= self.deadline:
                self._give_back()
                break
        self.pump.finish()
        self.pump.join(_JOIN_SECONDS)
        self.keeper.stop()
        self.listener.stop(_JOIN_SECONDS)
        self.keeper.join(_JOIN_SECONDS)
        self.places.close()
        self._say_goodbye()

    def _arrived(self, queues: tuple[str, ...]) -> None:
        self.pump.arrived(queues)

    def _came_back(self, errand: Errand) -> None:
        self.pump.came_back(errand)

    def _start_attempts(self, attempts: Sequence[Attempt]) -> None:
        self.places.begin(attempts, len(self.book))

    def _give_back(self) -> None:
        """Release what still runs: its handlers are told to stop, and their outcomes will not count."""
        for attempt in self.book.all():
            if attempt.give_up(attempt.report(Outcome.RELEASE, note=attempt.note()), LeaseLost):
                logger.warning("task %s did not finish in time and is given back", attempt.claimed.id)
                self.pump.ended(attempt)

    def _give_up(self, attempt: Attempt, reason: type[HandlerError]) -> None:
        """Settle without the handler, which has not begun or does not react; another thread takes its place."""
        settlement = None
        if reason is TaskCancelled:
            settlement = attempt.report(Outcome.CANCEL, note=attempt.note())
        elif reason is not LeaseLost:
            settlement = self.runner.failure(attempt, reason())
        if attempt.give_up(settlement, reason):
            if self.places.replace(attempt):
                logger.error("task %s is stuck in its handler; its slot is replaced", attempt.claimed.id)
            self.pump.ended(attempt)
            self._stop_if_worn_out()

    def _stop_if_worn_out(self) -> None:
        stuck, limit = self.places.stuck, self._worker.config.max_stuck
        if limit is not None and stuck >= limit and not self.worn_out:
            self.worn_out = True
            logger.error("%d handlers are stuck: worker %s stops, to be replaced", stuck, self._identity.name)
            self._worker.stop(wait=False)

    def _describe(self) -> WorkerInfo:
        pump = self.pump
        inspections, stacks = self.inspection.report()
        return msgspec.structs.replace(
            self._identity,
            queues=tuple(self._worker.config.queues or ()),
            max_workers=pump.max_workers,
            active_tasks=len(self.book.running()),
            paused=pump.paused,
            state="draining" if pump.draining else "running",
            processed=pump.completed,
            failed=pump.failed,
            stuck=self.places.stuck,
            claimed_at=SystemClock().now() - (time.monotonic() - pump.claimed_at),
            memory_bytes=resident_bytes(),
            cpu_share=round(self._cpu.measure(), 3),
            inspections=inspections,
            stacks=stacks,
        )

    def _obey(self, command: Command) -> None:
        logger.info("worker %s was told to %s", self._identity.name, command.action)
        if command.action == "cancel" and command.task_id is not None:
            self.keeper.cancel(command.queue, command.task_id)
        else:
            self._worker.obey(command)

    def _say_goodbye(self) -> None:
        try:
            self._storage.beat(msgspec.structs.replace(self._describe(), state="stopped", active_tasks=0))
        except DistributedQueueError as error:
            logger.debug("the worker's last beat: %s", error)
