"""Event streams: each pulls from the followers at its own pace, so a slow client costs nothing and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING

import msgspec
from fastapi.sse import KEEPALIVE_COMMENT

from distributed_queue.api.follower import Follower
from distributed_queue.api.marks import Mark, encode_marks
from distributed_queue.api.problems import ApiProblem, retry_after
from distributed_queue.core.times import iso
from distributed_queue.errors import DistributedQueueError, QueueClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from distributed_queue.api.options import ApiOptions
    from distributed_queue.core.storage import Change, JournalEntry, Storage

logger = logging.getLogger(__name__)

_ENTRIES = 100
"""Entries that a stream takes at a time."""
_CHUNK_BYTES = 64 << 10
_LOOK_SECONDS = 2.0
"""How often a stream of all queues looks for new ones."""
_RETRY_MS = 2000
"""When clients come back after a stream ended."""
_TROUBLE_SECONDS = 1.0


class Feed:
    """The followers, and the streams that share them. Used in one event loop."""

    def __init__(self, storage: Storage, options: ApiOptions) -> None:
        self.storage = storage
        self.options = options
        self._followers: dict[str, Follower] = {}
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._names: tuple[float, tuple[str, ...]] = (float("-inf"), ())
        self._closed = False

    async def open(self, queues: Sequence[str] | None, marks: dict[str, Mark] | None) -> Stream:
        """A stream of these queues, or of all, from ``marks`` on, or from now. Raises problems and storage errors."""
        if self._closed:
            raise QueueClosed("The server is shutting down.")
        if len(self._streams) >= self.options.max_streams:
            raise ApiProblem(
                "too-many-streams",
                f"{len(self._streams)} event streams are open, which is as many as this server allows.",
                **retry_after(_RETRY_MS / 1000),
            )
        stream = Stream(self, every=queues is None)
        self._streams.add(stream)
        try:
            for queue in await self.queue_names(0.0) if queues is None else queues:
                await stream.add(queue, None if marks is None else marks.get(queue, Mark(0)))
        except BaseException:
            stream.close()
            raise
        return stream

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for stream in list(self._streams):
            stream.end()

    async def queue_names(self, age_seconds: float = _LOOK_SECONDS) -> tuple[str, ...]:
        """All queues, as they were at most so long ago: streams share what one of them asked."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._names[0] >= age_seconds:
            self._names = (loop.time(), await asyncio.to_thread(self.storage.queues))
        return self._names[1]

    def follow(self, queue: str, stream: Stream) -> tuple[Follower, int]:
        """The follower of a queue, which from now on tells ``stream``, and the latest position. Blocks."""
        tail = self.storage.journal_tail(queue)
        with self._lock:
            follower = self._followers.get(queue)
            if follower is None or not follower.listen(stream.wake):
                follower = self._followers[queue] = Follower(self.storage, queue, tail)
                follower.listen(stream.wake)
                follower.start()
        return follower, tail

    def forget(self, stream: Stream) -> None:
        """Take a closed stream off the list."""
        self._streams.discard(stream)


class Stream:
    """One client's view of the journals."""

    def __init__(self, feed: Feed, *, every: bool) -> None:
        self._feed = feed
        self._every = every
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._followers: dict[str, Follower] = {}
        self._marks: dict[str, Mark] = {}
        self._refused: set[str] = set()
        self._gaps: list[tuple[str, int]] = []
        """Queues, and the first positions, of which the client has to be told that it gets nothing."""
        self._ended = False

    async def add(self, queue: str, mark: Mark | None) -> None:
        """Follow one more queue, from ``mark`` or from now on."""
        if len(self._marks) >= self._feed.options.max_stream_queues:
            raise ApiProblem(
                "invalid-request",
                f"A stream follows up to {self._feed.options.max_stream_queues} queues; choose some with ?queue=.",
            )
        self._followers[queue], tail = await asyncio.to_thread(self._feed.follow, queue, self)
        self._marks[queue] = mark or Mark(tail)
        if mark is not None and mark.after > tail:
            # The journal was started anew since: all of it is new to this client.
            self._marks[queue] = Mark(0)
            self._gaps.append((queue, mark.after + 1))

    def wake(self) -> None:
        """Tell the stream that there is news; from any thread."""
        # A loop that was closed has nobody left who streams.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._news.set)

    def end(self) -> None:
        """Let ``chunks`` end; in the loop's thread."""
        self._ended = True
        self._news.set()

    def close(self) -> None:
        """Let go of everything. A second call does nothing."""
        self.end()
        for follower in self._followers.values():
            follower.leave(self.wake)
        self._followers.clear()
        self._feed.forget(self)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The stream's bytes: whole events, several together where they are there."""
        yield f"retry: {_RETRY_MS}\nid: {self._id()}\n\n".encode()
        quiet_since = self._loop.time()
        while not self._ended:
            self._news.clear()
            moved = False
            async for chunk in self._pull():
                moved = True
                yield chunk
            if moved:
                quiet_since = self._loop.time()
            elif self._loop.time() - quiet_since >= self._feed.options.ping_seconds:
                quiet_since = self._loop.time()
                yield KEEPALIVE_COMMENT
            else:
                await self._sleep(quiet_since + self._feed.options.ping_seconds - self._loop.time())

    async def _sleep(self, seconds: float) -> None:
        """Until there is news, or something else to do."""
        pause = min(seconds, _LOOK_SECONDS) if self._every else seconds
        try:
            await asyncio.wait_for(self._news.wait(), max(0.0, pause))
        except asyncio.TimeoutError:
            return

    async def _pull(self) -> AsyncIterator[bytes]:
        """What each queue has, one batch of each."""
        try:
            if self._every:
                await self._look_for_queues()
            while self._gaps:
                queue, first = self._gaps.pop(0)
                yield _gap(queue, first, None, self._id())
            for queue, follower in list(self._followers.items()):
                if follower.ended:
                    self._ended = True
                after = self._marks[queue].after
                entries = follower.after(after, _ENTRIES)
                if entries is None:
                    entries = await asyncio.to_thread(self._feed.storage.journal, queue, after, _ENTRIES, 0.0)
                for chunk in self._encode(queue, entries):
                    yield chunk
        except QueueClosed:
            self._ended = True
        except DistributedQueueError as error:
            logger.debug("an event stream waits for the storage: %s", error)
            await asyncio.sleep(_TROUBLE_SECONDS)

    async def _look_for_queues(self) -> None:
        for queue in await self._feed.queue_names():
            if queue in self._marks or queue in self._refused:
                continue
            try:
                await self.add(queue, Mark(0))
            except ApiProblem:
                self._refused.add(queue)
                self._gaps.append((queue, 1))

    def _encode(self, queue: str, entries: Sequence[JournalEntry]) -> list[bytes]:
        """Entries as events, in chunks; moves the queue's mark on."""
        others = encode_marks((name, mark) for name, mark in self._marks.items() if name != queue)
        prefix = f"{others}," if others else ""
        chunks, chunk, size = [], [], 0
        for entry in entries:
            mark = self._marks[queue]
            if entry.position > mark.after + 1:
                mark = Mark(entry.position - 1)
                chunk.append(_gap(queue, self._marks[queue].after + 1, mark.after, prefix + mark.text(queue)))
            last = len(entry.changes)
            for number, change in enumerate(entry.changes[mark.seen :], mark.seen + 1):
                mark = Mark(entry.position) if number == last else Mark(entry.position - 1, number)
                chunk.append(_event(queue, entry, change, prefix + mark.text(queue)))
                size += len(chunk[-1])
                if size >= _CHUNK_BYTES:
                    chunks.append(b"".join(chunk))
                    chunk, size = [], 0
            self._marks[queue] = Mark(entry.position)
        return [*chunks, b"".join(chunk)] if chunk else chunks

    def _id(self) -> str:
        return encode_marks(self._marks.items())


def _event(queue: str, entry: JournalEntry, change: Change, identifier: str) -> bytes:
    name = f"task.{change.event}" if change.task_id else f"queue.{change.event}"
    data = {
        "queue": queue,
        "position": entry.position,
        "at": iso(entry.at),
        "event": name,
        "task_id": change.task_id or None,
        "attempt": change.attempt or None,
        "detail": change.detail or None,
    }
    return b"event: %b\ndata: %b\nid: %b\n\n" % (name.encode(), msgspec.json.encode(data), identifier.encode())


def _gap(queue: str, first: int, last: int | None, identifier: str) -> bytes:
    """Entries that this client cannot have: they were trimmed, or belong to a journal that is no more."""
    data = msgspec.json.encode({"queue": queue, "first": first, "last": last})
    return b"event: gap\ndata: %b\nid: %b\n\n" % (data, identifier.encode())
