"""Tells other systems of what happens to tasks, by requests that are signed after the Standard Webhooks specification.

::

    journals ──► dispatcher ──one delivery a message──► queue dq.webhooks ──► worker ──POST──► endpoint

The dispatcher reads the journals and keeps its position in the storage; deliveries are tasks, whose retries, dead
letters and figures are those of every other task. See docs/guides/webhooks.md.
"""

from distributed_queue.webhooks.addresses import AddressRules, ForbiddenAddress
from distributed_queue.webhooks.delivery import Deliverer
from distributed_queue.webhooks.dispatcher import Dispatcher
from distributed_queue.webhooks.endpoints import Endpoint, Secret, new_endpoint
from distributed_queue.webhooks.file import EndpointFile, changing_endpoints, read_endpoints
from distributed_queue.webhooks.messages import EVENTS, trial_document
from distributed_queue.webhooks.register import Register
from distributed_queue.webhooks.sending import Answer, DeliveryFailed, send
from distributed_queue.webhooks.service import Webhooks
from distributed_queue.webhooks.signing import new_secret, sign

__all__ = [
    "EVENTS",
    "AddressRules",
    "Answer",
    "Deliverer",
    "DeliveryFailed",
    "Dispatcher",
    "Endpoint",
    "EndpointFile",
    "ForbiddenAddress",
    "Register",
    "Secret",
    "Webhooks",
    "changing_endpoints",
    "new_endpoint",
    "new_secret",
    "read_endpoints",
    "send",
    "sign",
    "trial_document",
]
