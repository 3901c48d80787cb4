"""A client of the REST API, with nothing but the standard library: any language can do the same.

::

    python distributed_queue/examples/api_client.py
    python distributed_queue/examples/api_client.py --url http://localhost:8000 --api-key …

Without ``--url`` it starts a server of its own on a free port, with tasks in memory, and stops it in the end.

What one will see: a task submitted and its result; a submission repeated safely; many in one request; a listing page by
page; what the server says of mistakes; and a failed task, among the dead letters and back in the queue, which the
server's own log tells of too.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


class Problem(Exception):
    """What the server answers instead, as a problem document (RFC 9457)."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(f"{document['status']} {document['code']}: {document['detail']}")
        self.document = document


class Client:
    """Calls the API at ``url``."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = f"{url}/api/v1"
        self.headers = {"Content-Type": "application/json"}
        if api_key:
            self.headers["X-API-Key"] = api_key

    def get(self, path: str) -> Any:
        """Read something."""
        return self._call("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Change something. Keyword arguments are further headers."""
        return self._call("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def _call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the user gave the address
            self.url + path, data, {**self.headers, **(headers or {})}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Problem(json.load(error)) from error


def submit_and_wait(api: Client) -> None:
    """One task, and its result."""
    task = api.post("/tasks", {"priority": 1, "payload": {"type": "simple", "data": "Hello World"}})
    print(f"submitted {task['task_id']}: {task['status']}")
    task = api.get(f"/tasks/{task['task_id']}?wait=30")  # answers when it is finished
    print(f"  {task['status']}: {task['result']}")


def repeat_safely(api: Client) -> None:
    """When an answer is lost, the same request with the same key gets the same answer, and adds nothing."""
    key, body = str(uuid.uuid4()), {"payload": {"type": "simple", "data": "once"}}
    first = api.post("/tasks", body, Idempotency_Key=key)
    again = api.post("/tasks", body, Idempotency_Key=key)
    print(f"submitted twice with one key: {'the same task' if first['task_id'] == again['task_id'] else 'two tasks'}")


def submit_many(api: Client, queue: str) -> None:
    """A hundred in one request, all of them or none; then read them page by page."""
    sums = [{"operation": "multiply", "a": number, "b": number} for number in range(100)]
    tasks = [{"queue": queue, "payload": {"type": "math", "data": data}} for data in sums]
    accepted = api.post("/tasks/batch", {"tasks": tasks})
    api.get(f"/tasks/{accepted['items'][-1]['task_id']}?wait=30")
    pages, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/tasks?queue={queue}&limit=40" + (f"&cursor={cursor}" if cursor else ""))
        pages.append(len(page["items"]))
        cursor = page["next_cursor"]
    print(f"submitted {accepted['count']} at once, listed in pages of {', '.join(map(str, pages))}")


def make_mistakes(api: Client) -> None:
    """What is wrong is said in words, and in fields for programs; nothing is stored."""
    for body in ({"priority": -1, "payload": {}}, {"payload": {}, "queue": "no spaces, please"}):
        try:
            api.post("/tasks", body)
        except Problem as problem:
            print(f"refused: {problem}")


def bring_back(api: Client) -> None:
    """A task that failed for good is kept until someone requeues or deletes it."""
    data = {"operation": "divide", "a": 1, "b": 0}
    task = api.post("/tasks", {"payload": {"type": "math", "data": data}, "max_retries": 0})
    task = api.get(f"/tasks/{task['task_id']}?wait=30")
    print(f"failed: {task['status']}, {task['error']}")
    dead = [letter["task_id"] for letter in api.get("/dead-letters")["items"]]
    print(f"  among the dead letters: {task['task_id'] in dead}")
    print(f"  requeued: {api.post('/dead-letters/requeue', {'ids': [task['task_id']]})}")
    api.get(f"/tasks/{task['task_id']}?wait=30")


@contextmanager
def own_server() -> Iterator[str]:
    """Start a server, wait until it is ready, and stop it gracefully in the end; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--storage-url", "memory://", "--log-level", "error"]
    command = [sys.executable, "-m", "distributed_queue", "serve", *options]
    environment = {name: value for name, value in os.environ.items() if name != "API_KEY"}
    os.environ.setdefault("no_proxy", "127.0.0.1")
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as server:  # noqa: S603
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    """Ask until the server can take tasks."""
    api, end = Client(url, None), time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        try:
            api.get("/ready")
        except (OSError, Problem):
            time.sleep(0.05)
        else:
            return
    raise SystemExit("The server did not start.")


def tour(api: Client) -> None:
    """Do everything once."""
    submit_and_wait(api)
    repeat_safely(api)
    submit_many(api, "example-api")
    make_mistakes(api)
    bring_back(api)
    stats = api.get("/stats")
    print(f"stats: {stats['counts']['completed']} completed, {stats['dead_letter_count']} dead")


def main() -> None:
    """Use a server that is there, or one of its own."""
    parser = argparse.ArgumentParser(description="A client of the REST API.")
    parser.add_argument("--url", help="of a server that runs, such as http://localhost:8000")
    parser.add_argument("--api-key", default=os.environ.get("API_KEY"), help="where the server asks for one")
    options = parser.parse_args()
    if options.url:
        tour(Client(options.url.rstrip("/"), options.api_key))
    else:
        with own_server() as url:
            tour(Client(url, None))


if __name__ == "__main__":
    main()
