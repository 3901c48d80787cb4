"""arq: ``arq with_arq.WorkerSettings``."""

import asyncio

import board
import stage
import uvloop
from arq import create_pool
from arq.connections import RedisSettings

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
SETTINGS = RedisSettings.from_dsn(stage.URL)


async def noop(_context: object, data: str) -> "str | None":
    """The handler that counts."""
    return board.noop(data)


async def timed(_context: object, sent_at: float) -> None:
    """The handler that tells the time."""
    board.timed(sent_at)


class WorkerSettings:
    """What ``arq`` reads."""

    functions = (noop, timed)
    redis_settings = SETTINGS
    max_jobs = 32
    poll_delay = 0.01
    keep_result = 3600 if stage.RESULTS else 0
    log_results = False


class ArqClient(stage.Client):
    """``enqueue_job``; there is nothing for batches."""

    batches = False

    async def open(self) -> None:
        self._pool = await create_pool(SETTINGS)

    async def one(self) -> None:
        await self._pool.enqueue_job("noop", stage.DATA)

    async def timed(self, sent_at: float) -> None:
        await self._pool.enqueue_job("timed", sent_at)


if __name__ == "__main__":
    stage.serve(ArqClient())
