"""What people do to endpoints, by ``dq webhooks`` or over REST: changes of their file, and trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from distributed_queue.core.clock import SystemClock
from distributed_queue.core.ids import new_task_id
from distributed_queue.errors import ConfigurationError, WebhookNotFound
from distributed_queue.webhooks.endpoints import Secret, new_endpoint
from distributed_queue.webhooks.file import changing_endpoints, read_endpoints
from distributed_queue.webhooks.messages import EVENTS, trial_document
from distributed_queue.webhooks.sending import send
from distributed_queue.webhooks.signing import new_secret, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from distributed_queue.webhooks.addresses import AddressRules
    from distributed_queue.webhooks.endpoints import Endpoint
    from distributed_queue.webhooks.sending import Answer

_now = SystemClock().now


class Register:
    """The endpoints of a file, which servers read again within a second. Thread-safe, and safe between processes.

    Everything raises ``ConfigurationError`` where the file cannot be used, and ``WebhookNotFound`` for an id that it
    does not have.
    """

    def __init__(self, path: Path, rules: AddressRules) -> None:
        self._path = path
        self._rules = rules

    def all(self) -> list[Endpoint]:
        """All endpoints, those that are disabled too."""
        return read_endpoints(self._path)

    def find(self, identifier: str) -> Endpoint:
        """One of them."""
        return _find(self.all(), identifier)

    def check(self, url: str, events: Sequence[str]) -> None:
        """Raise ``ConfigurationError`` or ``ForbiddenAddress`` for what cannot be an endpoint."""
        self._rules.check(url)
        for event in events:
            if "*" not in event and event not in EVENTS:
                raise ConfigurationError(f"{event!r:.80} is not an event. Events: {', '.join(EVENTS)}")

    def add(
        self,
        url: str,
        *,
        events: Sequence[str] = (),
        queues: Sequence[str] = (),
        types: Sequence[str] = (),
        payload: bool = False,
    ) -> Endpoint:
        """A new endpoint, which is told of what happens from now on. Raises as ``check`` does, too."""
        self.check(url, events)
        made = new_endpoint(url, _now(), events=events, queues=queues, types=types, payload=payload)
        with changing_endpoints(self._path) as known:
            known.append(made)
        return made

    def remove(self, identifiers: Sequence[str]) -> None:
        """Forget endpoints: all of them, or none if there is one that is not known."""
        with changing_endpoints(self._path) as known:
            for identifier in identifiers:
                _find(known, identifier)
            known[:] = [each for each in known if each.id not in identifiers]

    def disable(self, identifier: str, reason: str) -> Endpoint:
        """Tell an endpoint nothing for now; what happens meanwhile is not told later."""
        now = _now()
        return self._change(
            identifier, lambda each: msgspec.structs.replace(each, disabled_at=now, disabled_because=reason)
        )

    def enable(self, identifier: str) -> Endpoint:
        """Tell an endpoint of events again, from now on."""
        now = _now()
        return self._change(
            identifier,
            lambda each: msgspec.structs.replace(each, disabled_at=None, disabled_because="", created_at=now),
        )

    def rotate(self, identifier: str, keep_seconds: float) -> Endpoint:
        """Give an endpoint a new secret; its former ones sign along for so long at most."""
        now = _now()
        end = now + keep_seconds

        def renew(each: Endpoint) -> Endpoint:
            former = tuple(
                Secret(secret.text, end if secret.until is None else min(secret.until, end))
                for secret in each.secrets
                if secret.signs(now)
            )
            return msgspec.structs.replace(each, secrets=(Secret(new_secret()), *former))

        return self._change(identifier, renew)

    def try_out(self, identifier: str) -> Answer:
        """What an endpoint answers to a message that tells of nothing. Raises as ``send`` does."""
        endpoint = self.find(identifier)
        now = _now()
        body = trial_document(now)
        return send(endpoint.url, body, sign(f"msg_{new_task_id()}", int(now), body, endpoint.keys(now)), self._rules)

    def _change(self, identifier: str, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
        with changing_endpoints(self._path) as known:
            changed = change(_find(known, identifier))
            known[:] = [changed if each.id == identifier else each for each in known]
        return changed


def _find(known: Sequence[Endpoint], identifier: str) -> Endpoint:
    for each in known:
        if each.id == identifier:
            return each
    raise WebhookNotFound(identifier)
