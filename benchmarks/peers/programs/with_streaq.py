"""streaQ: ``streaq run with_streaq:worker``."""

import board
import stage
from streaq import Worker

worker = Worker(redis_url=stage.URL, concurrency=32, anyio_kwargs={"use_uvloop": True})
TTL_SECONDS = 300 if stage.RESULTS else 0


@worker.task(ttl=TTL_SECONDS, silent=True)
async def noop(data: str) -> "str | None":
    """The handler that counts."""
    return board.noop(data)


@worker.task(ttl=TTL_SECONDS, silent=True)
async def timed(sent_at: float) -> None:
    """The handler that tells the time."""
    board.timed(sent_at)


class StreaQClient(stage.Client):
    """``enqueue`` and ``enqueue_many``."""

    async def open(self) -> None:
        await worker.__aenter__()

    async def one(self) -> None:
        await noop.enqueue(stage.DATA)

    async def timed(self, sent_at: float) -> None:
        await timed.enqueue(sent_at)

    async def many(self, count: int) -> None:
        await worker.enqueue_many([noop.enqueue(stage.DATA) for _ in range(count)])


if __name__ == "__main__":
    stage.serve(StreaQClient())
