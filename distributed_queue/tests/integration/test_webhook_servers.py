"""Servers that send webhooks, and are killed meanwhile."""

from __future__ import annotations

import signal
import threading
from ipaddress import ip_network
from typing import TYPE_CHECKING

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.receiver import Receiver, Reply
from distributed_queue.tests.steps import LIMIT, eventually, finished, put
from distributed_queue.tests.surfaces.programs import Program
from distributed_queue.webhooks import AddressRules, EndpointFile, Webhooks, changing_endpoints, new_endpoint

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.tests.receiver import Received

RULES = AddressRules([ip_network("127.0.0.0/8")], http=True)
SETTINGS = {
    "DQ_WEBHOOKS_ALLOW": "127.0.0.0/8",
    "DQ_WEBHOOKS_HTTP": "true",
    # Leases are no longer than this, so what a killed server had is soon another's.
    "DQ_VISIBILITY_TIMEOUT": "1",
}


def test_what_a_killed_server_had_not_delivered_another_delivers_under_the_same_id(
    tmp_path: Path, sqlite_url: str
) -> None:
    """It is killed while requests are on their way, and others wait; more happens before the next one runs."""
    file, may_answer = tmp_path / "webhooks.json", threading.Event()
    arguments = ("serve", "--port", "0", "--workers", "0", "--storage-url", sqlite_url)
    asked: list[str] = []

    def answer(received: Received) -> Reply:
        asked.append(received.id)
        assert may_answer.wait(LIMIT)
        return Reply()

    with HybridQueue.from_url(sqlite_url) as queue, Receiver(answer) as receiver:
        with changing_endpoints(file) as known:
            known.append(new_endpoint(receiver.url, 0.0, events=["task.enqueued"]))
        tasks = [put(queue, number) for number in range(20)]
        with Program(tmp_path, *arguments, DQ_WEBHOOKS_FILE=str(file), **SETTINGS) as killed:
            eventually(lambda: asked)
            killed.send(signal.SIGKILL)
            killed.ends()
        under_way = set(asked)
        may_answer.set()
        tasks += [put(queue, number) for number in range(20)]
        with Webhooks(queue, EndpointFile(file), RULES, "another"):
            eventually(
                lambda: len(receiver.ids()) >= len(tasks) and all(receiver.ids()[each] > 1 for each in under_way)
            )
            deliveries = finished(queue, queue.find(queue="dq.webhooks", limit=1000))
    told = {each.document["data"]["task_id"]: each.id for each in receiver.received}
    assert set(told) == {task.task_id for task in tasks}
    assert sorted(told.values()) == sorted(delivery.task_id for delivery in deliveries)
    assert {delivery.status for delivery in deliveries} == {"completed"}
