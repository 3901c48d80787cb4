"""What a server runs for webhooks: a dispatcher, and a worker of its own that delivers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from distributed_queue.core.worker import Worker, WorkerConfig
from distributed_queue.errors import DistributedQueueError
from distributed_queue.observability.deliveries import DeliveryTimes
from distributed_queue.webhooks.delivery import Deliverer
from distributed_queue.webhooks.dispatcher import Dispatcher
from distributed_queue.webhooks.messages import DELIVERIES, DELIVERY

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.webhooks.addresses import AddressRules
    from distributed_queue.webhooks.file import EndpointFile

logger = logging.getLogger(__name__)

SLOTS = 10
_SHUTDOWN_SECONDS = 20.0
"""A delivery under way takes less."""
_JOIN_SECONDS = 5.0


class Webhooks:
    """A context manager: dispatches and delivers within its block."""

    def __init__(
        self,
        queue: HybridQueue,
        endpoints: EndpointFile,
        rules: AddressRules,
        name: str,
        times: DeliveryTimes | None = None,
    ) -> None:
        self._dispatcher = Dispatcher(queue.storage, endpoints, queue.max_body_bytes)
        config = WorkerConfig(
            name=name[:100], max_workers=SLOTS, queues=(DELIVERIES,), shutdown_timeout=_SHUTDOWN_SECONDS
        )
        deliverer = Deliverer(endpoints, rules, times or DeliveryTimes(endpoints.enabled_ids), at_once=SLOTS // 2)
        self._worker = Worker(queue, config)
        self._worker.register_handler(DELIVERY, deliverer.deliver)

    def __enter__(self) -> Self:
        self._worker.start()
        self._dispatcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop: what is being sent may end, the rest is for the next server."""
        self._dispatcher.stop()
        self._worker.stop(wait=True)
        self._dispatcher.join(_JOIN_SECONDS)
        try:
            self._dispatcher.keep()
        except DistributedQueueError as unkept:
            # What is read again makes the same deliveries.
            logger.debug("positions were not kept: %s", unkept)
