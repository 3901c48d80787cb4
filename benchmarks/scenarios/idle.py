"""What a worker process costs that has nothing to do."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.figures import Sample
from benchmarks.load import measured
from distributed_queue.testing.servers import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Scale
    from benchmarks.places import Place

SECONDS = 3.0
SETTLING_SECONDS = 0.5


def measure(place: Place, scale: Scale) -> Iterator[Sample]:
    """Processor time, and what it asks of the storage where that can be overheard."""
    with place.session() as session:
        session.worker.start()
        time.sleep(SETTLING_SECONDS)
        seconds = scale.seconds(SECONDS)
        before = session.worker.cpu_seconds()
        with measured(place) as cost:
            if place.engine == "redis":
                asked = _overheard(session.queue.storage.url, seconds)
            else:
                time.sleep(seconds)
        used = session.worker.cpu_seconds() - before
    yield Sample("idle worker, processor", used / cost.wall * 100, "%")
    if cost.storage is not None:
        yield Sample("idle worker, the storage's processor", cost.storage / cost.wall * 100, "%")
    if place.engine == "redis":
        yield Sample("idle worker, storage operations", asked / cost.wall, "1/s")


def _overheard(url: str, seconds: float) -> int:
    """Commands that clients sent; those that scripts call are part of the script that was sent."""
    address = urlsplit(url)
    end, heard = time.monotonic() + seconds, b""
    with socket.create_connection((address.hostname or HOST, address.port or 0)) as connection:
        connection.sendall(b"MONITOR\r\n")
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            with contextlib.suppress(TimeoutError):
                heard += connection.recv(1 << 16)
    return sum(b" lua] " not in line for line in heard.splitlines()[1:])
