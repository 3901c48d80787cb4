"""What the documents tell users to write. The type checkers accept each line that does not say it is a mistake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from distributed_queue import Depends, DistributedQ, HybridQueue, Retry, Task, Worker, WorkerConfig, current_task
from distributed_queue.testing import InlineWorker

app = DistributedQ("memory://")


@dataclass
class Receipt:
    to: str


@app.task(queue="mail", priority=10, retry=Retry(max_retries=5, on=(ConnectionError,)), timeout=30)
def send_email(to: str, subject: str, copies: int = 1) -> Receipt:
    current_task().progress(1, copies, note=subject)
    return Receipt(to)


@app.task
async def count(words: list[str]) -> int:
    return len(words)


@app.task
def save(item: int, db: str = Depends(lambda: "db")) -> None: ...


def correct() -> None:
    receipt: Receipt = send_email("a@example.org", "hi")
    receipt = send_email.submit("a@example.org", subject="hi", copies=2).result(timeout=10)
    receipt = send_email.options(delay=timedelta(hours=1), priority=0).submit("a@example.org", "hi").result()
    print(receipt.to, send_email.submit_many([("a@example.org", "hi"), {"to": "b@example.org", "subject": "hi"}]))
    print(app.submit_many([send_email.call("a@example.org", "hi"), count.call(["a"]), save.call(1)]))
    number: int = count.submit(["a"]).result()
    status = count.submit(["a"]).task()
    print(number, status.status if status else None)
    worker: Worker = app.worker(WorkerConfig(name="mail"))
    worker.register_handler("simple", lambda data: f"Completed: {data}")
    with InlineWorker(app) as inline:
        task: Task = inline.assert_submitted(send_email, to="a@example.org")
        print(task.data)


async def correct_in_coroutines() -> None:
    handle = await send_email.asubmit("a@example.org", "hi")
    receipt: Receipt = await handle
    number: int = await (await count.asubmit(["a"])).aresult(timeout=10)
    print(receipt.to, number, await count(["a"]))


def wrong() -> None:
    send_email.submit()  # mistake: an argument is missing
    send_email.submit("a@example.org", 5)  # mistake: of the wrong type
    send_email.submit("a@example.org", "hi", copy=2)  # mistake: there is no such parameter
    send_email.submit("a@example.org", "hi", 1, 2)  # mistake: too many
    send_email("a@example.org")  # mistake: the same counts for a plain call
    count.submit("words").result().upper()  # mistake: its result is a number
    words: str = count.submit(["a"]).result()  # mistake: the same
    receipt: str = send_email.submit("a@example.org", "hi").result()  # mistake: a Receipt is no text
    app.submit_many([send_email.submit("a@example.org", "hi")])  # mistake: submitted already
    app.task(timeout="soon")  # mistake: seconds are a number
    Retry(on=ConnectionError)  # mistake: a tuple of classes
    HybridQueue.from_url("memory://").put({"type": "simple"})  # mistake: a payload is no task
    print(words, receipt, count(["a"]) + 1)  # mistake: a coroutine is no number
