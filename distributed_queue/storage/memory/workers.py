"""The registry of live workers and the commands that wait for them."""

from __future__ import annotations

import msgspec

from distributed_queue.core.storage import WORKER_TTL_SECONDS, Command, WorkerInfo


class WorkerRegistry:
    """Beats and commands, each forgotten after ``WORKER_TTL_SECONDS``. Not thread-safe."""

    def __init__(self) -> None:
        self._workers: dict[str, WorkerInfo] = {}
        self._commands: dict[str, list[tuple[float, Command]]] = {}

    def beat(self, worker: WorkerInfo, now: float) -> list[Command]:
        """Note that a worker lives; the commands for it."""
        self._workers[worker.id] = msgspec.structs.replace(worker, beat_at=now)
        return [command for at, command in self._commands.pop(worker.id, []) if at > now - WORKER_TTL_SECONDS]

    def alive(self, now: float) -> list[WorkerInfo]:
        """The workers that have beaten lately and are not stopped."""
        self._workers = {
            key: worker for key, worker in self._workers.items() if worker.beat_at > now - WORKER_TTL_SECONDS
        }
        living = [worker for worker in self._workers.values() if worker.state != "stopped"]
        return sorted(living, key=lambda worker: (worker.name, worker.id))

    def command(self, worker_id: str, command: Command, now: float) -> None:
        """Leave a command."""
        kept = [entry for entry in self._commands.get(worker_id, []) if entry[0] > now - WORKER_TTL_SECONDS]
        self._commands[worker_id] = [*kept, (now, command)]
