"""The registry of live workers and the commands that wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from distributed_queue.core.storage import WORKER_TTL_SECONDS, BeatReply, Command, WorkerInfo
from distributed_queue.storage.redis.codec import SECOND_MS
from distributed_queue.storage.redis.keys import QUEUES, worker_commands, worker_keys, worker_operation
from distributed_queue.storage.redis.scripts import load_script

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.storage.redis.gateway import Gateway
    from distributed_queue.storage.redis.operations import Operations

T = TypeVar("T")

_TTL_MS = int(WORKER_TTL_SECONDS * SECOND_MS)
_encode = msgspec.msgpack.Encoder().encode
_decode_info = msgspec.msgpack.Decoder(WorkerInfo).decode
_decode_command = msgspec.msgpack.Decoder(Command).decode


def beat(gateway: Gateway, operations: Operations, worker: WorkerInfo) -> BeatReply:
    """See ``Storage.beat``."""
    with operations.begin() as slot:
        keys = (*worker_keys(), worker_commands(worker.id), worker_operation(slot.name))
        call = load_script("beat").call(keys, gateway.now(), slot.token, worker.id, _encode(worker), _TTL_MS)
        taken, names = gateway.connections.run_all([call, (b"SMEMBERS", QUEUES)])
    queues = tuple(sorted(name.decode() for name in names))
    commands = [_decoded(_decode_command, command) for command in taken]
    return BeatReply([each for each in commands if each is not None], queues)


def alive(gateway: Gateway) -> list[WorkerInfo]:
    """See ``Storage.workers``."""
    reply = gateway.connections.run(load_script("workers").call(worker_keys(), gateway.now(), _TTL_MS))
    living = []
    for info, beat_ms in zip(reply[::2], reply[1::2], strict=True):
        worker = _decoded(_decode_info, info)
        if worker is None:
            continue
        worker.beat_at = int(beat_ms) / SECOND_MS
        if worker.state != "stopped":
            living.append(worker)
    return sorted(living, key=lambda worker: (worker.name, worker.id))


def command(gateway: Gateway, operations: Operations, worker_id: str, what: Command) -> None:
    """See ``Storage.command``."""
    with operations.begin() as slot:
        keys = (worker_commands(worker_id), worker_operation(slot.name))
        call = load_script("command").call(keys, gateway.now(), slot.token, _encode(what), _TTL_MS)
        gateway.connections.run(call)


def _decoded(decode: Callable[[bytes], T], stored: bytes) -> T | None:
    """What was stored, or None for what this version cannot read."""
    try:
        return decode(stored)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
