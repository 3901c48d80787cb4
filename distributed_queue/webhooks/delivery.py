"""The handler that delivers: one try of one message."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.worker import current_task
from distributed_queue.errors import ConfigurationError, DeadLetter, Discard, RetryLater, Snooze
from distributed_queue.webhooks.addresses import AddressRules, ForbiddenAddress
from distributed_queue.webhooks.messages import RETRY
from distributed_queue.webhooks.sending import TIMEOUT_SECONDS, Answer, DeliveryFailed, send
from distributed_queue.webhooks.signing import sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.observability.deliveries import DeliveryTimes
    from distributed_queue.webhooks.endpoints import Endpoint
    from distributed_queue.webhooks.file import EndpointFile

logger = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 86_400.0
"""What an endpoint that says ``Retry-After`` may ask for at most."""
_TURN_SECONDS = 2.0
_QUICK_SECONDS = 0.5
_WAIT_SECONDS = 1.0
_MAY_ASK = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class _Data(msgspec.Struct):
    endpoint: str
    body: str


class Deliverer:
    """Delivers to the endpoints of a file. ``at_once`` is how many deliveries to one endpoint may be under way."""

    def __init__(
        self,
        endpoints: EndpointFile,
        rules: AddressRules,
        times: DeliveryTimes,
        *,
        at_once: int = 5,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._endpoints = endpoints
        self._rules = rules
        self._times = times
        self._at_once = at_once
        self._timeout = timeout
        self._under_way: Counter[str] = Counter()
        self._slow: set[str] = set()
        self._left = threading.Condition()

    def deliver(self, data: Any) -> dict[str, Any]:
        """Send the message of the running task; what its result is to be. Raises what its failure is to be."""
        delivery = msgspec.convert(data, _Data)
        endpoint = self._endpoints.find(delivery.endpoint)
        if endpoint is None:
            raise Discard("The webhook was removed.")
        if not endpoint.enabled:
            raise Discard(f"The webhook is disabled: {endpoint.disabled_because}.")
        with self._turn(endpoint.id), self._times.delivering(endpoint.id):
            answer = self._send(endpoint, delivery.body.encode())
        return {"status": answer.status}

    @contextmanager
    def _turn(self, endpoint: str) -> Iterator[None]:
        """Keep one slow endpoint from taking all slots. One that was quick so far is waited for, in its slot."""
        with self._left:
            patience = 0.0 if endpoint in self._slow else _WAIT_SECONDS
            if not self._left.wait_for(lambda: self._under_way[endpoint] < self._at_once, patience):
                self._slow.add(endpoint)
                raise Snooze(_TURN_SECONDS * (1 + random.random()))  # noqa: S311 - spreads tries, hides nothing
            self._under_way[endpoint] += 1
        began = time.monotonic()
        try:
            yield
        finally:
            remember = self._slow.discard if time.monotonic() - began < _QUICK_SECONDS else self._slow.add
            with self._left:
                remember(endpoint)
                self._under_way[endpoint] -= 1
                self._left.notify_all()

    def _send(self, endpoint: Endpoint, body: bytes) -> Answer:
        task = current_task()
        now = SystemClock().now()
        headers = sign(task.task_id, int(now), body, endpoint.keys(now))
        try:
            answer = send(endpoint.url, body, headers, self._rules, timeout=self._timeout)
        except ForbiddenAddress as error:
            raise DeadLetter(error.code, str(error)) from error
        except ConfigurationError as error:
            raise DeadLetter("forbidden-address", str(error)) from error
        if answer.taken:
            return answer
        if answer.status == HTTPStatus.GONE:
            logger.warning("webhook %s is disabled: its endpoint answered 410 Gone", endpoint.id)
            self._endpoints.disable(endpoint.id, now, "its endpoint answered 410 Gone")
            raise DeadLetter("gone", "The endpoint answered 410 Gone, so the webhook was disabled.")
        failure = DeliveryFailed(f"the endpoint answered {answer.status}" + (f": {answer.text}" if answer.text else ""))
        if answer.retry_after is None or answer.status not in _MAY_ASK:
            raise failure
        pause = max(RETRY.delay(task.task.retry_count + 1), min(answer.retry_after, LONGEST_PAUSE_SECONDS))
        raise RetryLater(pause, str(failure))
