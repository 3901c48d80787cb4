"""SAQ: ``saq with_saq.settings``."""

import board
import stage
from saq import Queue

TTL_SECONDS = 600 if stage.RESULTS else -1
queue = Queue.from_url(stage.URL)


async def noop(_context: object, *, data: str) -> "str | None":
    """The handler that counts."""
    return board.noop(data)


async def timed(_context: object, *, sent_at: float) -> None:
    """The handler that tells the time."""
    board.timed(sent_at)


settings = {"queue": queue, "functions": [noop, timed], "concurrency": 32}


class SAQClient(stage.Client):
    """``enqueue``; there is nothing for batches."""

    batches = False

    async def open(self) -> None:
        await queue.connect()

    async def one(self) -> None:
        await queue.enqueue("noop", data=stage.DATA, ttl=TTL_SECONDS)

    async def timed(self, sent_at: float) -> None:
        await queue.enqueue("timed", sent_at=sent_at, ttl=TTL_SECONDS)


if __name__ == "__main__":
    stage.serve(SAQClient())
