"""Where a worker's handlers run: threads, an event loop, child processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.core.worker.event_loop import HandlerLoop
from distributed_queue.core.worker.handlers import Executor
from distributed_queue.core.worker.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.core.worker.attempt import Attempt
    from distributed_queue.core.worker.children import Children
    from distributed_queue.core.worker.config import WorkerConfig
    from distributed_queue.core.worker.handlers import HandlerTable
    from distributed_queue.core.worker.runner import Runner


class Places:
    """All of them together; each starts what it needs when it is first needed."""

    def __init__(self, config: WorkerConfig, handlers: HandlerTable, runner: Runner, children: Children) -> None:
        self._handlers = handlers
        self._runner = runner
        self._children = children
        self._threads = Slots(config.name, config.max_workers, runner.run)
        self._loop = HandlerLoop(config.name, config.max_workers, runner.run_async)
        self._attendants = Slots(f"{config.name}-child", config.children, runner.run_in_child)
        """Threads that each wait for a child."""

    def begin(self, attempts: Sequence[Attempt], held: int) -> None:
        """Hand each attempt to where its handler runs; ``held`` is how many the worker has in all."""
        if not self._handlers.only_threads:
            apart: dict[Executor, list[Attempt]] = {executor: [] for executor in Executor}
            for attempt in attempts:
                apart[self._runner.executor(attempt)].append(attempt)
            if apart[Executor.LOOP]:
                self._loop.submit(apart[Executor.LOOP])
            if apart[Executor.PROCESS]:
                self._attendants.submit(apart[Executor.PROCESS], held)
            attempts = apart[Executor.THREAD]
        if attempts:
            self._threads.submit(attempts, held)

    def resize(self, max_workers: int) -> None:
        """Change how many handlers may run at the same time, child processes aside."""
        self._threads.resize(max_workers)
        self._loop.resize(max_workers)

    def replace(self, attempt: Attempt) -> bool:
        """Count no longer on what runs this attempt; something else takes its place. False if nothing runs it."""
        return any(place.replace(attempt) for place in (self._threads, self._loop, self._attendants))

    @property
    def stuck(self) -> int:
        """How many handlers do not end, though they were told to; child processes are killed and never among them."""
        return self._threads.stuck + self._loop.stuck

    def stuck_attempts(self) -> list[Attempt]:
        """What they run."""
        return self._threads.stuck_attempts() + self._loop.stuck_attempts()

    def close(self) -> None:
        """End what is idle, and what still runs as far as that is possible."""
        self._threads.close()
        self._loop.close()
        self._attendants.close()
        self._children.close()
