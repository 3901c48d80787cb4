"""Three incidents to practise on: something is wrong with a shop. Find out what, and mend it, with the dashboard alone.

::

    python distributed_queue/examples/incidents.py customer
    python distributed_queue/examples/incidents.py hang
    python distributed_queue/examples/incidents.py outage --outage 60

What one will see: the address of a dashboard, where the shop's queues orders, reports and mail are worked on, and
something goes wrong in one of them. ``docs/incidents.md`` tells how each is found and mended.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).resolve().parents[2]))  # so that it runs in a clone that is not installed

from distributed_queue import Backoff, HybridQueue, RetryPolicy, Task, WorkerConfig, WorkerPool
from distributed_queue.api import ApiOptions, ApiServer, create_app
from distributed_queue.dashboard import ADDRESSES, Dashboard

if TYPE_CHECKING:
    from typing_extensions import Self

INCIDENTS = ("customer", "hang", "outage")
TAX = {"DE": 0.19, "FR": 0.20, "GB": 0.20}
QUICK = RetryPolicy(backoff=Backoff.LIST, delays=(0.5,), jitter=0)
PAUSE_SECONDS = 0.2
"""Between two rounds of the shop's tasks."""


class MailServerDown(Exception):
    """Nobody answers where mail is to be delivered."""


class Outside:
    """What the shop depends on: other people's systems."""

    def __init__(self) -> None:
        self.mail_works = True
        self.warehouses = {"Berlin", "Lyon"}
        """Those that answer."""


class Handlers:
    """The shop's own code."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def charge(self, order: dict[str, Any]) -> dict[str, Any]:
        """Charge a customer."""
        return {"charged": round(order["net"] * (1 + self._tax_rate(order)), 2)}

    def _tax_rate(self, order: dict[str, Any]) -> float:
        return TAX[order["country"]]

    def report(self, wanted: dict[str, Any]) -> str:
        """Ask a warehouse what it has, and wait for its answer, however long that takes."""
        while wanted["warehouse"] not in self._outside.warehouses:
            time.sleep(0.05)
        return f"{wanted['warehouse']} has everything"

    def send_mail(self, mail: dict[str, Any]) -> str:
        """Deliver a mail."""
        self._connect()
        return f"delivered to {mail['to']}"

    def _connect(self) -> None:
        if not self._outside.mail_works:
            raise MailServerDown("smtp.example.org does not answer")


class Shop:
    """Queues, workers, customers and a dashboard at ``url``; and one thing that is wrong."""

    def __init__(self, incident: str, storage_url: str = "memory://", port: int = 0) -> None:
        self.outside = Outside()
        self.queue = HybridQueue.from_url(storage_url)
        self.url = ""
        self._incident = incident
        self._pool = self._hire()
        app = create_app(self.queue, self._pool, ApiOptions(access=dict.fromkeys(ADDRESSES), home=None))
        self._dashboard = Dashboard(self.queue, self._pool, label="shop")
        app.mount("/", self._dashboard.app)
        self._server = ApiServer(app, port=port, shutdown_seconds=2.0)
        self._closed = threading.Event()
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        """Open the shop."""
        listening = self._ending.enter_context(self._server.listen())
        self.url = f"http://localhost:{listening.getsockname()[1]}/"
        self._dashboard.start()
        self._pool.start_all()
        for work in (lambda: self._server.run([listening]), self._keep_submitting):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._ending.callback(thread.join, 10)
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed.set()
        self._dashboard.close()
        self._server.stop()
        self._ending.close()
        self._pool.stop_all()
        self.queue.close()

    def _hire(self) -> WorkerPool:
        pool, handlers = WorkerPool(self.queue), Handlers(self.outside)
        for queue, task_type, handler, slots in (
            ("orders", "charge", handlers.charge, 4),
            ("reports", "report", handlers.report, 2),
            ("mail", "send mail", handlers.send_mail, 4),
        ):
            config = WorkerConfig(name=f"{queue}-1", max_workers=slots, queues=[queue], shutdown_timeout=1.0)
            pool.add_worker(config).register_handler(task_type, handler, retry=QUICK)
        return pool

    def _keep_submitting(self) -> None:
        """Let customers come, among them those that make the incident."""
        self.outside.mail_works = self._incident != "outage"
        for number in itertools.count(1):
            self.queue.put_many(self._orders(number))
            if self._closed.wait(PAUSE_SECONDS):
                return

    def _orders(self, number: int) -> list[Task]:
        customer, country = (("Initech", "DE"), ("Umbrella", "FR"), ("Acme", "GB"))[number % 3]
        if self._incident == "customer" and number in {4, 9, 14}:
            customer, country = "Hooli", "UK"
        warehouse = "Oslo" if self._incident == "hang" and number in {4, 5} else ("Berlin", "Lyon")[number % 2]
        order = {"order": number, "customer": customer, "country": country, "net": 40.0 + number % 50}
        mail = {"order": number, "to": f"billing@{customer.lower()}.example"}
        return [
            Task(10, {"type": "charge", "data": order}, queue="orders", max_retries=1),
            Task(10, {"type": "report", "data": {"warehouse": warehouse}}, queue="reports", max_retries=1),
            Task(10, {"type": "send mail", "data": mail}, queue="mail", max_retries=1),
        ]


def main() -> None:
    """Open the shop, and leave it to you."""
    parser = argparse.ArgumentParser(description="Incidents to practise on.")
    parser.add_argument("incident", choices=INCIDENTS)
    parser.add_argument("--storage-url", default="memory://", help="such as sqlite:///shop.db or redis://localhost")
    parser.add_argument("--port", type=int, default=8000, help="of the dashboard; 0 takes any free one")
    parser.add_argument("--outage", type=float, default=60.0, metavar="SECONDS", help="until the mail server is back")
    parser.add_argument("--seconds", type=float, metavar="SECONDS", help="when to close; without it, at Ctrl-C")
    options = parser.parse_args()
    # The shop's log would tell what the dashboard is to tell.
    logging.getLogger("distributed_queue").setLevel(logging.CRITICAL)

    with Shop(options.incident, options.storage_url, options.port) as shop:
        print(f"Something is wrong with this shop: {shop.url}\nFind out what, and mend it. Ctrl-C closes the shop.")
        back = threading.Timer(options.outage, setattr, (shop.outside, "mail_works", True))
        back.daemon = True
        back.start()
        try:
            threading.Event().wait(options.seconds)
        except KeyboardInterrupt:
            print()
        print("what became of its tasks")
        for stats in shop.queue.queue_stats():
            print(
                f"  {stats.queue:<8} ",
                ", ".join(f"{number} {state}" for state, number in stats.counts.items() if number),
            )


if __name__ == "__main__":
    main()
