"""Where a worker's handlers are at this moment: what an operator asks for when one of them does not come to an end.

Names of files and functions only: the values in a frame may be secrets.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed_queue.core.storage import TaskStack
from distributed_queue.core.worker import runner
from distributed_queue.core.worker.attempt import State

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import FrameType

    from distributed_queue.core.worker.attempt import Attempt

MOST_STACKS = 50
"""Those that have run for longest."""
MOST_FRAMES = 20
"""The innermost."""
FRAME_BYTES = 400
"""So a stack takes 8 KiB at most, and a beat with all of them stays small."""
KEPT_SECONDS = 30.0
"""For how long each beat repeats them: pages and programs look now and then."""
_MOST_OUTER_FRAMES = 10_000
_FOLDERS_SHOWN = 2

IN_A_CHILD = "it runs in a child process; on the worker's host, py-spy dump shows the stack of one"
OVER = "it was in no frame"


class Inspection:
    """The stacks of the handlers, taken when the worker is told to, and reported for a while."""

    def __init__(
        self,
        running: Callable[[], list[Attempt]],
        stuck: Callable[[], list[Attempt]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._running = running
        self._stuck = stuck
        self._monotonic = monotonic
        self._taken = 0
        self._taken_at = float("-inf")
        self._stacks: tuple[TaskStack, ...] = ()

    def take(self) -> None:
        """Look where the handlers are now. Those that do not stop come first."""
        now = self._monotonic()
        frames = sys._current_frames()  # noqa: SLF001 - documented, in spite of its name
        wanted = [(attempt, True) for attempt in _oldest_first(self._stuck())]
        wanted += [(attempt, False) for attempt in _oldest_first(self._running())]
        stacks = [_stack(attempt, frames, now, stuck=stuck) for attempt, stuck in wanted[:MOST_STACKS]]
        # What has ended meanwhile left its thread to something else.
        still = [attempt.state is State.RUNNING or stuck for attempt, stuck in wanted]
        self._stacks = tuple(stack for stack, runs in zip(stacks, still, strict=False) if runs)
        self._taken, self._taken_at = self._taken + 1, now

    def report(self) -> tuple[int, tuple[TaskStack, ...]]:
        """How often they were taken, and the latest unless they are old."""
        if self._monotonic() - self._taken_at >= KEPT_SECONDS:
            self._stacks = ()
        return self._taken, self._stacks


def _oldest_first(attempts: Iterable[Attempt]) -> list[Attempt]:
    return sorted(attempts, key=lambda attempt: attempt.started)


def _stack(attempt: Attempt, frames: Mapping[int, FrameType], now: float, *, stuck: bool) -> TaskStack:
    place = attempt.place
    if place is None:
        found: list[str] = []
        note = IN_A_CHILD
    else:
        found = _texts(frames.get(place) if isinstance(place, int) else _frames_of(place, frames))
        note = "" if found else OVER
    limit = attempt.time_limit
    return TaskStack(
        queue=attempt.claimed.queue,
        task_id=attempt.claimed.id,
        attempt=attempt.claimed.attempt,
        seconds=round(now - attempt.started, 3),
        limit_seconds=None if limit is None else round(limit - attempt.started, 3),
        stuck=stuck,
        frames=tuple(found),
        note=note,
    )


def _frames_of(task: asyncio.Task[Any], frames: Mapping[int, FrameType]) -> FrameType | list[FrameType] | None:
    """The frames of a task of an event loop; where it waits, they are in the chain of what awaits what."""
    awaited: Any = task.get_coro()
    first = _frame_in(awaited)
    if first is None:
        return None
    for innermost in frames.values():
        if any(frame is first for frame in _outwards(innermost)):
            return innermost
    chain: list[FrameType] = []
    while (frame := _frame_in(awaited)) is not None and len(chain) < _MOST_OUTER_FRAMES:
        chain.append(frame)
        awaited = _awaited_by(awaited)
    return chain[::-1]


def _frame_in(awaitable: Any) -> FrameType | None:
    """The frame of a coroutine, a generator or an asynchronous generator."""
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        if hasattr(awaitable, name):
            frame: FrameType | None = getattr(awaitable, name)
            return frame
    return None


def _awaited_by(awaitable: Any) -> Any:
    for name in ("cr_await", "gi_yieldfrom", "ag_await"):
        if hasattr(awaitable, name):
            return getattr(awaitable, name)
    return None


def _texts(innermost: FrameType | list[FrameType] | None) -> list[str]:
    """The frames of a handler, the outermost first as in a traceback; those of the worker below it say nothing."""
    frames = list(innermost if isinstance(innermost, list) else _outwards(innermost))
    ours = [place for place, frame in enumerate(frames) if frame.f_code.co_filename == runner.__file__]
    if ours:
        frames = frames[: ours[0]]
    texts = [_text(frame) for frame in frames[:MOST_FRAMES]]
    if len(frames) > MOST_FRAMES:
        texts[-1] = f"… {len(frames) - MOST_FRAMES + 1:,} frames further out"
    return texts[::-1]


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(_MOST_OUTER_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _text(frame: FrameType) -> str:
    code = frame.f_code
    name = getattr(code, "co_qualname", code.co_name)  # from Python 3.11 on with its class
    text = f"{_short(code.co_filename)}:{frame.f_lineno} in {name}"
    return text.encode("utf-8", "replace")[:FRAME_BYTES].decode("utf-8", "ignore")


def _short(path: str) -> str:
    """The end of a path: where things are installed is nobody's business, and long."""
    return "/".join(Path(path).parts[-_FOLDERS_SHOWN - 1 :]).lstrip("/")
