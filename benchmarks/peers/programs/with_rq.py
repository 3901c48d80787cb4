"""RQ: ``rq worker``."""

import board
import stage
from redis import Redis
from rq import Queue

RESULT_TTL_SECONDS = 500 if stage.RESULTS else 0


class RQClient(stage.Client):
    """``enqueue`` and ``enqueue_many``."""

    def __init__(self) -> None:
        self._queue = Queue(connection=Redis.from_url(stage.URL))

    async def one(self) -> None:
        self._queue.enqueue(board.noop, stage.DATA, result_ttl=RESULT_TTL_SECONDS)

    async def timed(self, sent_at: float) -> None:
        self._queue.enqueue(board.timed, sent_at, result_ttl=RESULT_TTL_SECONDS)

    async def many(self, count: int) -> None:
        self._queue.enqueue_many(
            [Queue.prepare_data(board.noop, (stage.DATA,), result_ttl=RESULT_TTL_SECONDS) for _ in range(count)]
        )


if __name__ == "__main__":
    stage.serve(RQClient())
