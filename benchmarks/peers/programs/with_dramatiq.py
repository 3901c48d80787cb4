"""Dramatiq: ``dramatiq with_dramatiq``."""

import board
import dramatiq
import stage
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(url=stage.URL)
if stage.RESULTS:
    broker.add_middleware(Results(backend=RedisBackend(url=stage.URL), store_results=True))
dramatiq.set_broker(broker)
noop = dramatiq.actor(board.noop)
timed = dramatiq.actor(board.timed)


class DramatiqClient(stage.Client):
    """``send``; there is nothing for batches."""

    batches = False

    async def one(self) -> None:
        noop.send(stage.DATA)

    async def timed(self, sent_at: float) -> None:
        timed.send(sent_at)


if __name__ == "__main__":
    stage.serve(DramatiqClient())
