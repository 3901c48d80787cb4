"""The server: it takes an address, says when it is ready, and stops in good order."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import httpx
import pytest

from distributed_queue.api import ApiServer, create_app, run_server
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.errors import ConfigurationError
from distributed_queue.tests.steps import LIMIT
from distributed_queue.tests.surfaces.api_server import API, running, serve

PROGRAM = """
import sys
from distributed_queue import HybridQueue
from distributed_queue.api import create_app, run_server
with HybridQueue() as queue:
    run_server(create_app(queue), port=0, shutdown_seconds=30, ready=lambda port: print(port, flush=True))
print("after", flush=True)
"""


def test_port_0_takes_any_and_says_which() -> None:
    ports: list[int] = []
    with HybridQueue() as queue:
        server = ApiServer(create_app(queue), port=0, ready=ports.append)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not ports:
            time.sleep(0.01)
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"http://127.0.0.1:{ports[0]}{API}/health").status_code == 200
        server.stop()
        thread.join(LIMIT)
        assert not thread.is_alive()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_addresses_of_all_kinds_are_taken(host: str) -> None:
    with HybridQueue() as queue, ApiServer(create_app(queue), host, 0).listen() as listening:
        assert listening.getsockname()[1] > 0


def test_an_address_that_is_taken_is_an_error_that_names_it() -> None:
    with socket.socket() as taken, HybridQueue() as queue:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1, port {port}: .*in use"):
            run_server(create_app(queue), port=port)


def test_an_address_that_is_none_is_an_error_that_names_it() -> None:
    with HybridQueue() as queue, pytest.raises(ConfigurationError, match=r"no\.such\.host\.invalid"):
        run_server(create_app(queue), host="no.such.host.invalid", port=0)


def test_streams_and_long_polls_do_not_hold_up_the_end() -> None:
    with HybridQueue() as queue:
        app = create_app(queue)
        answers: list[Any] = []
        with httpx.Client(timeout=LIMIT, trust_env=False) as client:
            with running(app) as (_, port):
                url = f"http://127.0.0.1:{port}{API}"
                task = client.post(f"{url}/tasks", json={"payload": 1}).json()
                address = f"{url}/tasks/{task['task_id']}?wait=60"
                waiting = threading.Thread(target=lambda: answers.append(client.get(address).json()))
                waiting.start()
                opened = client.send(client.build_request("GET", f"{url}/events"), stream=True)
                lines = opened.iter_lines()
                assert next(lines).startswith("retry")
                while app.state.services.queue.queue._watcher._followers == {}:
                    time.sleep(0.01)
                started = time.monotonic()
            assert time.monotonic() - started < LIMIT
            assert list(lines)[-1] == ""
            waiting.join(LIMIT)
        assert answers[0]["status"] == "pending"


def test_a_stopped_server_leaves_queue_and_pool_to_their_owner() -> None:
    with HybridQueue() as queue:
        with serve(queue) as api:
            api.submit("x")
        assert queue.size() == 1
        with serve(queue) as api:
            assert api.get("/stats")["queue_size"] == 1


def start_program() -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_serving_and_the_program_goes_on_to_its_end(number: signal.Signals) -> None:
    process, port = start_program()
    with httpx.Client(timeout=LIMIT, trust_env=False) as client, process:
        opened = client.send(client.build_request("GET", f"http://127.0.0.1:{port}{API}/events"), stream=True)
        assert opened.status_code == 200
        process.send_signal(number)
        output, _ = process.communicate(timeout=LIMIT)
    assert output == "after\n"
    assert process.returncode == 0


def test_a_second_signal_ends_it_at_once() -> None:
    process, port = start_program()
    unfinished = (
        b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    with process, socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
        connection.sendall(unfinished)
        with httpx.Client(trust_env=False) as client:
            # Once this is answered, the other request is in progress too.
            assert client.get(f"http://127.0.0.1:{port}{API}/health").status_code == 200
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=LIMIT)[0] == "after\n"


def test_tcp_answers_are_not_held_back() -> None:
    with serve() as api:
        taken = []
        for _ in range(10):
            started = time.monotonic()
            api.submit("x")
            taken.append(time.monotonic() - started)
        # Nagle's algorithm with delayed acknowledgements takes 40 ms for each.
        assert min(taken) < 0.035
