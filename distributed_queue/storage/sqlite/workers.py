"""The registry of live workers and the commands that wait for them. Its times are seconds, as the clock gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from distributed_queue.core.storage import WORKER_TTL_SECONDS, BeatReply, Command, WorkerInfo
from distributed_queue.storage.sqlite.reading import Read, queue_names
from distributed_queue.storage.sqlite.statements import sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.storage.sqlite.step import Step

T = TypeVar("T")

BEAT = sql("worker_beat")
FORGET = sql("workers_forget")
ALIVE = sql("workers_alive")
COMMAND_LEAVE = sql("command_leave")
COMMANDS_OF = sql("commands_of")
COMMANDS_TAKE = sql("commands_take")
COMMANDS_FORGET = sql("commands_forget")

_encode = msgspec.msgpack.Encoder().encode
_decode_worker = msgspec.msgpack.Decoder(WorkerInfo).decode
_decode_command = msgspec.msgpack.Decoder(Command).decode


def beat(step: Step, worker: WorkerInfo, now: float) -> BeatReply:
    """Note that a worker lives, and give it its commands. Forgets workers that have not beaten for long."""
    step.write(FORGET, now - WORKER_TTL_SECONDS)
    step.write(BEAT, worker.id, now, _encode(msgspec.structs.replace(worker, beat_at=now)))
    left = step.read(COMMANDS_OF, worker.id)
    if left:
        step.write(COMMANDS_TAKE, worker.id)
    commands = [_decoded(_decode_command, command) for at, command in left if at > now - WORKER_TTL_SECONDS]
    return BeatReply([each for each in commands if each is not None], queue_names(step.read))


def alive(read: Read, now: float) -> list[WorkerInfo]:
    """The workers that have beaten lately and are not stopped."""
    workers = [_decoded(_decode_worker, info) for (info,) in read(ALIVE, now - WORKER_TTL_SECONDS)]
    return sorted(
        (each for each in workers if each is not None and each.state != "stopped"),
        key=lambda each: (each.name, each.id),
    )


def command(step: Step, worker: str, command: Command, now: float) -> None:
    """Leave a command. Forgets those that nobody has taken for long."""
    step.write(COMMANDS_FORGET, now - WORKER_TTL_SECONDS)
    step.write(COMMAND_LEAVE, worker, now, _encode(command))


def _decoded(decode: Callable[[bytes], T], stored: bytes) -> T | None:
    """What was stored, or None for what this version cannot read."""
    try:
        return decode(stored)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
