"""Taskiq: ``taskiq worker with_taskiq:broker``."""

import board
import stage
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

broker = ListQueueBroker(stage.URL).with_serializer(ORJSONSerializer())
if stage.RESULTS:
    broker = broker.with_result_backend(RedisAsyncResultBackend(stage.URL, result_ex_time=600))


@broker.task(task_name="noop")
async def noop(data: str) -> "str | None":
    """The handler that counts."""
    return board.noop(data)


@broker.task(task_name="timed")
async def timed(sent_at: float) -> None:
    """The handler that tells the time."""
    board.timed(sent_at)


class TaskiqClient(stage.Client):
    """``kiq``; there is nothing for batches."""

    batches = False

    async def open(self) -> None:
        await broker.startup()

    async def one(self) -> None:
        await noop.kiq(stage.DATA)

    async def timed(self, sent_at: float) -> None:
        await timed.kiq(sent_at)


if __name__ == "__main__":
    stage.serve(TaskiqClient())
