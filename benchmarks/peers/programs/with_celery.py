"""Celery: ``celery -A with_celery worker``."""

import board
import stage
from celery import Celery

app = Celery("peers", broker=stage.URL, backend=stage.URL if stage.RESULTS else None)
app.conf.update(
    task_ignore_result=not stage.RESULTS,
    worker_prefetch_multiplier=64,
    worker_disable_rate_limits=True,
    task_serializer="json",
    broker_connection_retry_on_startup=True,
)
noop = app.task(board.noop, name="noop")
timed = app.task(board.timed, name="timed")


class CeleryClient(stage.Client):
    """``delay``; there is nothing for batches."""

    batches = False

    async def one(self) -> None:
        noop.delay(stage.DATA)

    async def timed(self, sent_at: float) -> None:
        timed.delay(sent_at)


if __name__ == "__main__":
    stage.serve(CeleryClient())
