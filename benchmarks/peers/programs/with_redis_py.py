"""No queue at all: ``LPUSH`` of redis-py with the same bytes, what all others are compared with."""

import json

import stage
from redis import Redis

BODY = json.dumps({"type": "noop", "data": stage.DATA})


class RawClient(stage.Client):
    """Nobody works these off."""

    def __init__(self) -> None:
        self._redis = Redis.from_url(stage.URL)

    async def one(self) -> None:
        self._redis.lpush("raw", BODY)

    async def timed(self, sent_at: float) -> None:
        self._redis.lpush("raw", sent_at)

    async def many(self, count: int) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for _ in range(count):
            pipeline.lpush("raw", BODY)
        pipeline.execute()


if __name__ == "__main__":
    stage.serve(RawClient())
