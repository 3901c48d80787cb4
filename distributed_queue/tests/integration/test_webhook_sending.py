"""One request of a webhook, on the wire."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.tests.receiver import Receiver, Reply
from distributed_queue.webhooks import AddressRules, DeliveryFailed, ForbiddenAddress, send

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOOPBACK = [ip_network("127.0.0.0/8")]


def at_loopback(host: str, port: int, **_: Any) -> list[Any]:
    """Every name is this machine."""
    del host
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


RULES = AddressRules(LOOPBACK, http=True, look_up=at_loopback)


@contextmanager
def saying(*pieces: bytes, for_ever: bytes = b"") -> Iterator[str]:
    """A server that says this to whoever connects, and then the same again and again, if there is that; its URL."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(65_536)
                for piece in pieces:
                    client.sendall(piece)
                try:
                    while for_ever and not over.wait(0.01):
                        client.sendall(for_ever)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://host.example:{listening.getsockname()[1]}/"
        over.set()
        thread.join()


def test_the_host_is_named_as_in_the_address_and_the_query_is_sent() -> None:
    with Receiver() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        assert send(f"http://hooks.example:{port}/a/b?c=d", b"{}", {"webhook-id": "msg_1"}, RULES).taken
    [received] = receiver.received
    assert received.path == "/a/b?c=d"
    assert received.headers["host"] == f"hooks.example:{port}"
    assert received.headers["webhook-id"] == "msg_1"
    assert received.headers["user-agent"].startswith("DistributedQ/")


def test_a_name_that_changes_its_address_is_of_no_help() -> None:
    """It is looked up once; what it is at a moment later is not asked."""
    answers: Iterator[Sequence[str]] = iter([["8.8.8.8"], ["127.0.0.1"]])
    asked = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in next(answers)]

    rules = AddressRules(http=True, look_up=look_up)
    [(_, where)] = rules.resolve(rules.check_url("http://rebinding.example/"))
    assert where[0] == "8.8.8.8"
    with Receiver() as receiver:
        with pytest.raises(ForbiddenAddress):
            send(receiver.url, b"{}", {}, rules)
        assert not receiver.received
    assert len(asked) == 2


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 1000000\r\n\r\n",  # reading its beginning takes too long too
    ],
)
def test_an_endpoint_that_never_ends_its_answer_is_given_up_in_time(said: bytes) -> None:
    more = said if said.startswith(b"HTTP/1.1 100") else b"x"
    with saying(said, for_ever=more) as url, pytest.raises(DeliveryFailed, match="did not answer within"):
        send(url, b"{}", {}, RULES, timeout=0.3)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 "])
def test_what_is_no_answer_is_a_failure(said: bytes) -> None:
    with saying(said) as url, pytest.raises(DeliveryFailed):
        send(url, b"{}", {}, RULES)


def test_of_a_failure_only_the_beginning_is_read() -> None:
    with Receiver(lambda _: Reply(500, body=b"no \x00\xff\n" + b"y" * 5_000_000)) as receiver:
        answer = send(receiver.url, b"{}", {}, RULES)
    assert answer.status == 500
    assert answer.text.startswith("no ")
    assert len(answer.text) == 200


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("120", 120, 120),
        ("Fri, 01 Jan 2200 00:00:00 GMT", 1e9, 1e11),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, least: float, most: float) -> None:
    with Receiver(lambda _: Reply(503, {"Retry-After": value})) as receiver:
        answer = send(receiver.url, b"{}", {}, RULES)
    assert answer.retry_after is not None
    assert least <= answer.retry_after <= most


@pytest.mark.parametrize("value", ["soon", "-1", "", "1e9", "Fri, 99 Foo 2200"])
def test_retry_after_that_makes_no_sense_is_passed_over(value: str) -> None:
    with Receiver(lambda _: Reply(503, {"Retry-After": value})) as receiver:
        assert send(receiver.url, b"{}", {}, RULES).retry_after is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of hooks.example that vouches for itself, with its key."""
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=tests"
    files = ["-keyout", str(file), "-out", str(file.with_name("cert.pem"))]
    name = ["-addext", "subjectAltName=DNS:hooks.example"]
    subprocess.run([*command.split(), *name, *files], check=True, capture_output=True)
    with file.open("a") as both:
        both.write(file.with_name("cert.pem").read_text())
    return file


@contextmanager
def over_tls(certificate: Path) -> Iterator[tuple[Receiver, int]]:
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(certificate)
    with Receiver(identity=identity) as receiver:
        yield receiver, int(receiver.url.rpartition(":")[2].partition("/")[0])


def test_over_tls_the_certificate_has_to_be_of_the_name_in_the_address(certificate: Path) -> None:
    """Though the connection is made to an address that was looked up before."""
    trust = ssl.create_default_context(cafile=str(certificate))
    with over_tls(certificate) as (receiver, port):
        assert send(f"https://hooks.example:{port}/", b"{}", {}, RULES, trust=trust).taken
        for url, trusted in ((f"https://other.example:{port}/", trust), (f"https://hooks.example:{port}/", None)):
            with pytest.raises(DeliveryFailed, match="certificate"):
                send(url, b"{}", {}, RULES, trust=trusted)
    assert len(receiver.received) == 1


def test_a_handshake_that_does_not_end_is_given_up_in_time() -> None:
    with saying(for_ever=b"\x16\x03\x03\x00\x05") as url, pytest.raises(DeliveryFailed):
        send(url.replace("http:", "https:"), b"{}", {}, RULES, timeout=0.3)
