"""Huey: ``huey_consumer with_huey.huey``."""

import board
import stage
from huey import RedisHuey

huey = RedisHuey("peers", url=stage.URL, results=stage.RESULTS)
noop = huey.task()(board.noop)
timed = huey.task()(board.timed)


class HueyClient(stage.Client):
    """A call; there is nothing for batches."""

    batches = False

    async def one(self) -> None:
        noop(stage.DATA)

    async def timed(self, sent_at: float) -> None:
        timed(sent_at)


if __name__ == "__main__":
    stage.serve(HueyClient())
