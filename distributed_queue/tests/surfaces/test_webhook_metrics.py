"""What the metrics tell of webhooks."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.observability.deliveries import DeliveryTimes
from distributed_queue.tests.receiver import Receiver, Reply
from distributed_queue.tests.steps import eventually, put
from distributed_queue.tests.surfaces.api_server import serve
from distributed_queue.tests.surfaces.prometheus import promtool
from distributed_queue.webhooks import AddressRules, EndpointFile, Register, Webhooks, changing_endpoints, new_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed_queue.tests.surfaces.api_server import Api

RULES = AddressRules([ip_network("127.0.0.0/8")], http=True)
# The library has no types for its parser.
parse: Any = text_string_to_metric_families


@contextmanager
def serving(file: Path) -> Iterator[Api]:
    """A server that sends the webhooks of a file."""
    with HybridQueue() as queue:
        endpoints = EndpointFile(file)
        times = DeliveryTimes(endpoints.enabled_ids)
        with (
            serve(queue, deliveries=times, webhooks=Register(file, RULES)) as api,
            Webhooks(queue, endpoints, RULES, "webhooks", times),
        ):
            yield api


def add(file: Path, url: str) -> str:
    endpoint = new_endpoint(url, 0.0, events=["task.enqueued"])
    with changing_endpoints(file) as known:
        known.append(endpoint)
    return endpoint.id


def value(api: Api, name: str, **labels: str) -> float | None:
    samples = [sample for family in parse(api.client.get("/metrics").text) for sample in family.samples]
    found = [each.value for each in samples if each.name == f"distributedq_webhook_{name}" and each.labels == labels]
    return found[0] if found else None


def has(api: Api, number: float, outcome: str) -> bool:
    return value(api, "deliveries_total", outcome=outcome) == number


def test_tries_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    replies = iter([Reply(), Reply(), Reply(500), Reply(410)])
    with Receiver(lambda _: next(replies)) as receiver:
        add(tmp_path / "w.json", receiver.url)
        with serving(tmp_path / "w.json") as api:
            for outcome, number in (("delivered", 1), ("delivered", 2), ("failed", 1), ("gone", 1)):
                put(api.queue, {"type": "x"})
                eventually(partial(has, api, number, outcome))
            assert value(api, "delivery_duration_seconds_count") == 4
            assert not promtool("check", "metrics", stdin=api.client.get("/metrics").text)


def test_it_is_told_when_a_webhook_last_succeeded_and_failed_as_long_as_it_is_sent_to(tmp_path: Path) -> None:
    replies = iter([Reply(500), Reply()])
    with Receiver(lambda _: next(replies)) as receiver:
        webhook = add(tmp_path / "w.json", receiver.url)
        with serving(tmp_path / "w.json") as api:

            def last(outcome: str) -> float | None:
                return value(api, "last_delivery_timestamp_seconds", webhook=webhook, outcome=outcome)

            put(api.queue, {"type": "x"})
            eventually(lambda: last("failed"))
            assert last("delivered") == 0
            put(api.queue, {"type": "x"})
            eventually(lambda: (last("delivered") or 0) >= (last("failed") or 0) > 0)
            api.post(f"/webhooks/{webhook}/disable")
            eventually(lambda: last("failed") is None)


def test_a_server_that_sends_none_tells_nothing_of_them() -> None:
    with serve() as api:
        assert "distributedq_webhook" not in api.client.get("/metrics").text
