"""Webhooks from the event to the receiver, over each storage."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.receiver import Receiver, Reply
from distributed_queue.tests.steps import eventually, finished, look, put, running
from distributed_queue.webhooks import (
    AddressRules,
    DeliveryFailed,
    Dispatcher,
    Endpoint,
    EndpointFile,
    Secret,
    Webhooks,
    changing_endpoints,
    new_endpoint,
    new_secret,
    read_endpoints,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = AddressRules([ip_network("127.0.0.0/8")], http=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "webhooks.json"


@pytest.fixture
def queue(storage_url: str) -> Iterator[HybridQueue]:
    with HybridQueue.from_url(storage_url) as opened:
        yield opened


def add(file: Path, url: str, **chosen: Any) -> Endpoint:
    """An endpoint that is told of everything since the epoch."""
    endpoint = new_endpoint(url, 0.0, **chosen)
    with changing_endpoints(file) as known:
        known.append(endpoint)
    return endpoint


@contextmanager
def sending(queue: HybridQueue, file: Path, rules: AddressRules = RULES) -> Iterator[None]:
    with Webhooks(queue, EndpointFile(file), rules, "webhooks"):
        yield


@contextmanager
def sending_to(receiver: Receiver, queue: HybridQueue, file: Path, **chosen: Any) -> Iterator[Endpoint]:
    endpoint = add(file, receiver.url, **chosen)
    with sending(queue, file):
        yield endpoint


def delivery_of(queue: HybridQueue) -> Any:
    """The only delivery."""
    eventually(lambda: queue.find(queue="dq.webhooks"))
    [task] = queue.find(queue="dq.webhooks")
    return task


def deliver_now(queue: HybridQueue, task_id: str) -> None:
    """Let a delivery that waits for its next try have it."""
    queue.storage.requeue("dq.webhooks", [task_id])


def test_an_endpoint_is_told_of_a_completed_task(queue: HybridQueue, file: Path) -> None:
    with Receiver() as receiver, sending_to(receiver, queue, file), running(queue, handlers={"default": str}):
        task = put(queue, {"type": "default", "data": 1})
        [received] = receiver.gets(1)
    document = received.document
    assert document["type"] == "task.completed"
    assert document["id"] == received.id
    assert document["data"]["task_id"] == task.task_id
    assert document["data"]["type"] == "default"
    assert document["data"]["queue"] == "default"
    assert "payload" not in document["data"]
    assert received.headers["content-type"] == "application/json"


def test_each_secret_signs_until_it_ends(file: Path) -> None:
    present, former, ended = (Secret(new_secret(), until) for until in (None, 4e9, 1.0))
    with HybridQueue() as queue, Receiver() as receiver:
        endpoint = msgspec.structs.replace(
            new_endpoint(receiver.url, 0.0, events=["task.enqueued"]), secrets=(present, former, ended)
        )
        with changing_endpoints(file) as known:
            known.append(endpoint)
        with sending(queue, file):
            put(queue, 1)
            [received] = receiver.gets(1)
    content = f"{received.id}.{received.headers['webhook-timestamp']}.".encode() + received.body

    def computed(secret: Secret) -> str:
        key = base64.b64decode(secret.text.split("_", 1)[1])
        return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()

    assert received.headers["webhook-signature"].split(" ") == [computed(present), computed(former)]


def test_the_library_of_standard_webhooks_takes_what_is_sent_and_nothing_else(file: Path) -> None:
    with HybridQueue() as queue, Receiver() as receiver, sending_to(receiver, queue, file, payload=True) as endpoint:
        assert queue.cancel(put(queue, {"type": "default", "data": "é"}).task_id)
        [received] = receiver.gets(1)
    headers = dict(received.headers)
    receivers = Webhook(endpoint.secrets[0].text)
    assert receivers.verify(received.body, headers) == received.document
    for forged in (received.body + b" ", received.body.replace(b"task.cancelled", b"task.completed")):
        with pytest.raises(WebhookVerificationError):
            receivers.verify(forged, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(received.body, headers)


def test_events_queues_and_types_are_chosen(queue: HybridQueue, file: Path) -> None:
    with (
        Receiver() as receiver,
        sending_to(receiver, queue, file, events=["task.enq*"], queues=["mail*"], types=["invoice"]),
    ):
        put(queue, {"type": "invoice", "data": 1}, queue="other")
        put(queue, {"type": "letter", "data": 1}, queue="mail.out")
        wanted = put(queue, {"type": "invoice", "data": 1}, queue="mail.out")
        queue.storage.pause("mail.out")
        receiver.gets(1)
        last = put(queue, {"type": "invoice", "data": 2}, queue="mail.out")
        told = [each.document["data"]["task_id"] for each in receiver.gets(2)]
    assert told == [wanted.task_id, last.task_id]


def test_payload_and_result_are_sent_where_asked_for(file: Path) -> None:
    with (
        HybridQueue() as queue,
        Receiver() as receiver,
        sending_to(receiver, queue, file, payload=True),
        running(queue, handlers={"default": lambda data: data * 2}),
    ):
        put(queue, {"type": "default", "data": 21})
        [received] = receiver.gets(1)
    assert received.document["data"]["payload"] == {"type": "default", "data": 21}
    assert received.document["data"]["result"] == 42


def test_what_happened_before_an_endpoint_was_added_is_not_told(file: Path) -> None:
    clock = ManualClock()
    with HybridQueue(clock=clock) as queue, Receiver() as receiver:
        put(queue, "before")
        clock.advance(1)
        with changing_endpoints(file) as known:
            known.append(new_endpoint(receiver.url, clock.now(), events=["task.enqueued"]))
        with sending(queue, file):
            after = put(queue, "after")
            [received] = receiver.gets(1)
    assert received.document["data"]["task_id"] == after.task_id


def test_a_message_is_the_same_on_each_try(file: Path) -> None:
    replies = iter([Reply(500, body=b"out of order"), Reply()])
    with (
        HybridQueue() as queue,
        Receiver(lambda _: next(replies)) as receiver,
        sending_to(receiver, queue, file, events=["task.enqueued"]),
    ):
        put(queue, 1)
        delivery = delivery_of(queue)
        eventually(lambda: look(queue, delivery).status == "retrying")
        assert "answered 500: out of order" in str(look(queue, delivery).error)
        deliver_now(queue, delivery.task_id)
        first, second = receiver.gets(2)
        finished(queue, [delivery])
    assert (first.id, first.body) == (second.id, second.body) == (delivery.task_id, second.body)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 500])
def test_only_2xx_counts_and_redirects_are_not_followed(file: Path, status: int) -> None:
    with Receiver() as elsewhere:
        reply = Reply(status, {"Location": elsewhere.url})
        with (
            HybridQueue() as queue,
            Receiver(lambda _: reply) as receiver,
            sending_to(receiver, queue, file, events=["task.enqueued"]),
        ):
            put(queue, 1)
            delivery = delivery_of(queue)
            eventually(lambda: look(queue, delivery).status == "retrying")
        assert not elsewhere.received


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(file: Path, status: int) -> None:
    with (
        HybridQueue() as queue,
        Receiver(lambda _: Reply(status, {"Retry-After": "7000"})) as receiver,
        sending_to(receiver, queue, file, events=["task.enqueued"]),
    ):
        put(queue, 1)
        delivery = delivery_of(queue)
        eventually(lambda: look(queue, delivery).status == "retrying")
        failed = look(queue, delivery)
    assert failed.execute_after is not None
    assert failed.started_at is not None
    assert failed.execute_after - failed.started_at >= 7000


def test_gone_disables_the_endpoint(file: Path) -> None:
    with (
        HybridQueue() as queue,
        Receiver(lambda _: Reply(410)) as receiver,
        sending_to(receiver, queue, file, events=["task.enqueued"]),
    ):
        put(queue, 1)
        [delivery] = finished(queue, [delivery_of(queue)])
        assert (delivery.status, delivery.reason) == ("dead", "gone")
        [endpoint] = read_endpoints(file)
        assert not endpoint.enabled
        put(queue, 2)
        assert not Dispatcher(queue.storage, EndpointFile(file), 1 << 20).step()
    assert len(receiver.received) == 1


def test_an_endpoint_that_never_answers_is_given_up_in_time(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(DeliveryFailed, match="did not answer within"):
            send(url, b"{}", {}, RULES, timeout=0.2)


def test_private_addresses_are_dead_letters_at_once(file: Path) -> None:
    with HybridQueue() as queue, Receiver() as receiver:
        add(file, receiver.url, events=["task.enqueued"])
        with sending(queue, file, AddressRules(http=True)):
            put(queue, 1)
            [delivery] = finished(queue, [delivery_of(queue)])
        assert (delivery.status, delivery.reason) == ("dead", "forbidden-address")
        assert not receiver.received


def test_a_burst_to_a_quick_endpoint_is_delivered_without_a_pause(file: Path) -> None:
    """Though fewer requests to it than there are slots may be under way; the bound leaves room for a slow machine."""
    with HybridQueue() as queue, Receiver() as receiver:
        add(file, receiver.url, events=["task.enqueued"])
        for number in range(50):
            put(queue, number)
        with sending(queue, file):
            receiver.gets(50)
            deliveries = finished(queue, queue.find(queue="dq.webhooks", limit=100))
    assert sum(delivery.attempt == 1 for delivery in deliveries) > 40


def test_two_dispatchers_make_each_delivery_once(shared_url: str, file: Path) -> None:
    with HybridQueue.from_url(shared_url) as one, HybridQueue.from_url(shared_url) as two, Receiver() as receiver:
        add(file, receiver.url, events=["task.enqueued"])
        with sending(one, file), sending(two, file):
            for number in range(50):
                put(one, number)
            receiver.gets(50)
            eventually(lambda: one.size("dq.webhooks") == 0)
    assert set(receiver.ids().values()) == {1}
    assert len(receiver.ids()) == 50


class _Dying(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("verb", ["enqueue", "update", "journal", "get"])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_dispatcher_that_dies_leaves_nothing_out_and_nothing_twice(
    shared_url: str, file: Path, monkeypatch: pytest.MonkeyPatch, verb: str, late: bool
) -> None:
    """It is ended before or after each kind of step; the next one goes on."""
    add(file, "https://example.com/", events=["task.enqueued"])
    endpoints = EndpointFile(file)
    with HybridQueue.from_url(shared_url) as queue:
        for number in range(30):
            put(queue, number)

        def die(*arguments: Any, **options: Any) -> Any:
            if late:
                original(*arguments, **options)
            raise _Dying

        first = Dispatcher(queue.storage, endpoints, 1 << 20)
        with monkeypatch.context() as patch:
            original = getattr(queue.storage, verb)
            patch.setattr(queue.storage, verb, die)
            with pytest.raises(_Dying):
                dispatch_all(first)
        second = Dispatcher(queue.storage, endpoints, 1 << 20)
        dispatch_all(second)
        assert queue.size("dq.webhooks") == 30
        third = Dispatcher(queue.storage, endpoints, 1 << 20)
        dispatch_all(third)
        assert queue.size("dq.webhooks") == 30


def dispatch_all(dispatcher: Dispatcher) -> None:
    while dispatcher.step():
        pass
    dispatcher.keep()


def test_a_dispatcher_goes_on_where_the_last_one_kept_its_position(shared_url: str, file: Path) -> None:
    """Also when the deliveries made before are gone, so nothing else tells that they were made."""
    add(file, "https://example.com/", events=["task.enqueued"])
    endpoints = EndpointFile(file)
    with HybridQueue.from_url(shared_url) as queue:
        put(queue, 1)
        dispatch_all(Dispatcher(queue.storage, endpoints, 1 << 20))
        queue.storage.clear("dq.webhooks")
        put(queue, 2)
        dispatch_all(Dispatcher(queue.storage, endpoints, 1 << 20))
        assert queue.size("dq.webhooks") == 1


def test_clearing_all_queues_does_not_let_everything_be_told_again(shared_url: str, file: Path) -> None:
    add(file, "https://example.com/", events=["task.enqueued"])
    with HybridQueue.from_url(shared_url) as queue:
        put(queue, 1)
        dispatch_all(Dispatcher(queue.storage, EndpointFile(file), 1 << 20))
        queue.storage.clear("dq.webhooks")
        assert queue.clear() == 1
        dispatch_all(Dispatcher(queue.storage, EndpointFile(file), 1 << 20))
        assert queue.size("dq.webhooks") == 0


def test_workers_of_all_queues_leave_deliveries_alone(shared_url: str, file: Path) -> None:
    add(file, "https://example.com/", events=["task.enqueued"])
    with HybridQueue.from_url(shared_url) as queue:
        put(queue, 1)
        dispatch_all(Dispatcher(queue.storage, EndpointFile(file), 1 << 20))
        with HybridQueue.from_url(shared_url) as other, running(other, handlers={"default": str}):
            finished(queue, [put(queue, 2), put(queue, 3, queue="mail")])
            assert queue.get(block=False) is None
        [delivery] = queue.find(queue="dq.webhooks")
        assert (delivery.status, delivery.attempt) == ("pending", 0)
