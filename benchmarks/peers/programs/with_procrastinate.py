"""Procrastinate: ``procrastinate --app with_procrastinate.app worker``."""

import board
import stage
from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=stage.URL))


@app.task(name="noop")
async def noop(data: str) -> None:
    """The handler that counts; Procrastinate keeps no results."""
    board.noop(data)


@app.task(name="timed")
async def timed(sent_at: float) -> None:
    """The handler that tells the time."""
    board.timed(sent_at)


class ProcrastinateClient(stage.Client):
    """``defer_async`` and ``batch_defer_async``."""

    async def open(self) -> None:
        await app.open_async()

    async def one(self) -> None:
        await noop.defer_async(data=stage.DATA)

    async def timed(self, sent_at: float) -> None:
        await timed.defer_async(sent_at=sent_at)

    async def many(self, count: int) -> None:
        await noop.batch_defer_async(*[{"data": stage.DATA} for _ in range(count)])


if __name__ == "__main__":
    stage.serve(ProcrastinateClient())
