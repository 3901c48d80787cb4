"""``dq workers``: the workers of all processes, and orders to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from distributed_queue.api.documents import iso
from distributed_queue.api.usage import usage_document
from distributed_queue.cli.command import Group
from distributed_queue.cli.exits import NotFound
from distributed_queue.cli.inspecting import inspect, print_stacks
from distributed_queue.cli.session import Session
from distributed_queue.cli.text import duration, plural, size
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.storage import Command

if TYPE_CHECKING:
    from distributed_queue.core.storage import WorkerInfo

workers = Group(
    "workers",
    help="List workers of all processes, look into them, and pause, resume, scale and stop them.",
    examples=("dq workers list", "dq workers stacks worker-1", "dq workers scale worker-1 20"),
)
_names = click.argument("names", nargs=-1, metavar="[NAME]...")
_all = click.option("--all", "every", is_flag=True, help="All workers of all processes.")


@workers.command("list", examples=("dq workers list", "dq workers list --json | jq '.items[].name'"))
@click.pass_obj
def list_(session: Session) -> None:
    """List the workers that live."""
    with session.shared_queue() as queue:
        found = queue.workers()
    now = SystemClock().now()
    session.out.show(
        {"items": [worker_json(worker, now) for worker in found]},
        lambda: session.out.table(
            ("NAME", "STATE", "BUSY", "DONE", "FAILED", "STUCK", "MEMORY", "CPU", "UP", "PROCESS", "QUEUES"),
            (
                (
                    worker.name,
                    "paused" if worker.paused and worker.state == "running" else worker.state,
                    f"{worker.active_tasks} of {worker.max_workers}",
                    worker.processed,
                    worker.failed,
                    worker.stuck,
                    size(worker.memory_bytes),
                    f"{worker.cpu_share:.0%}",
                    duration(now - worker.started_at),
                    f"{worker.pid} on {worker.host}",
                    ", ".join(worker.queues) or "all",
                )
                for worker in found
            ),
        ),
    )
    if not found and not session.as_json:
        session.out.note("No workers. Start one with: dq worker MODULE")


@workers.command("stacks", examples=("dq workers stacks worker-1", "dq workers stacks --all --json"))
@_names
@_all
@click.pass_obj
def stacks(session: Session, names: tuple[str, ...], every: bool) -> None:
    """Show where the handlers of workers are now: files, lines and functions, no values."""
    _check_choice(names, every=every)
    with session.shared_queue() as queue:
        chosen = _choose(queue.workers(), names, every=every)
        with session.out.busy("Asking"):
            seen = inspect(queue, chosen)
    items = [{"worker": worker.name, "id": worker.id, "stacks": usage_document(worker)["stacks"]} for worker in seen]
    session.out.show({"items": items}, lambda: print_stacks(session.out, seen))
    silent = len(chosen) - len(seen)
    if silent:
        session.out.note(f"{plural(silent, 'worker')} did not tell in time; older versions cannot.")


@workers.command("pause", examples=("dq workers pause worker-1", "dq workers pause --all"))
@_names
@_all
@click.pass_obj
def pause(session: Session, names: tuple[str, ...], every: bool) -> None:
    """Let workers take no more tasks. What runs goes on."""
    _tell(session, names, Command(action="pause"), every=every)


@workers.command("resume", examples=("dq workers resume worker-1", "dq workers resume --all"))
@_names
@_all
@click.pass_obj
def resume(session: Session, names: tuple[str, ...], every: bool) -> None:
    """Let paused workers take tasks again."""
    _tell(session, names, Command(action="resume"), every=every)


@workers.command("scale", examples=("dq workers scale worker-1 20", "dq workers scale host-4711 1 --json"))
@click.argument("name")
@click.argument("slots", type=click.IntRange(1, 10_000))
@click.pass_obj
def scale(session: Session, name: str, slots: int) -> None:
    """Change how many tasks a worker runs at the same time."""
    _tell(session, (name,), Command(action="scale", max_workers=slots), every=False)


@workers.command("stop", examples=("dq workers stop worker-1", "dq workers stop --all --yes"))
@_names
@_all
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def stop(session: Session, names: tuple[str, ...], every: bool, yes: bool) -> None:
    """Stop workers gracefully: what runs may finish. A process of dq worker ends with its worker."""
    if every:
        session.out.confirm("Stopping all workers of all processes", yes=yes)
    _tell(session, names, Command(action="stop"), every=every)


def worker_json(worker: WorkerInfo, now: float) -> dict[str, Any]:
    """What a worker reports of itself, with the field names of the REST API."""
    return {
        "name": worker.name,
        "id": worker.id,
        "state": worker.state,
        "paused": worker.paused,
        "max_workers": worker.max_workers,
        "active_tasks": worker.active_tasks,
        "processed": worker.processed,
        "failed": worker.failed,
        "stuck": worker.stuck,
        "queues": list(worker.queues) or None,
        "host": worker.host,
        "pid": worker.pid,
        "started_at": iso(worker.started_at),
        "beat_age_seconds": round(max(0.0, now - worker.beat_at), 3),
        "version": worker.version,
        **usage_document(worker),
    }


def _tell(session: Session, names: Sequence[str], command: Command, *, every: bool) -> None:
    """Leave a command for workers, which names or ids stand for."""
    _check_choice(names, every=every)
    with session.shared_queue() as queue:
        chosen = _choose(queue.workers(), names, every=every)
        for worker in chosen:
            queue.storage.command(worker.id, command)
    told = f"{plural(len(chosen), 'worker')} told to {command.action}"
    session.out.show(
        {"items": [{"name": each.name, "id": each.id, "action": command.action} for each in chosen]},
        lambda: session.out.line(f"{told}: {', '.join(worker.name for worker in chosen)}"),
    )
    if not session.as_json:
        session.out.note("They obey with their next beat, within two seconds.")


def _check_choice(names: Sequence[str], *, every: bool) -> None:
    if bool(names) == every:
        raise click.UsageError("Name the workers, or say --all")


def _choose(live: Sequence[WorkerInfo], names: Sequence[str], *, every: bool) -> list[WorkerInfo]:
    if every:
        return list(live)
    for name in names:
        if not any(name in (worker.name, worker.id) for worker in live):
            raise NotFound(f"No live worker is called {name!r}")
    return [worker for worker in live if worker.name in names or worker.id in names]
