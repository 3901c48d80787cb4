"""A receiver of webhooks on loopback, that keeps what it gets and answers as it is told."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from distributed_queue.tests.steps import eventually

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self


class Received(NamedTuple):
    """One request."""

    path: str
    headers: Mapping[str, str]
    """Their names in lower case."""
    body: bytes

    @property
    def id(self) -> str:
        """The message's id."""
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        """The message."""
        return msgspec.json.decode(self.body)


class Reply(NamedTuple):
    """What to answer."""

    status: int = 204
    headers: Mapping[str, str] = {}
    body: bytes = b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go."""


class Receiver:
    """A context manager. ``answer`` says what each request gets: by default that it was taken.

    With an ``identity`` it is reached over TLS.
    """

    def __init__(
        self, answer: Callable[[Received], Reply] = lambda _: Reply(), identity: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if identity is not None:
            # Without the handshake, which is for the connection's own thread.
            self._server.socket = identity.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks"

    def gets(self, count: int) -> list[Received]:
        """Wait until it has got so many requests, and return them all."""
        eventually(lambda: len(self.received) >= count)
        return list(self.received)

    def ids(self) -> Counter[str]:
        """How often each message came."""
        return Counter(each.id for each in list(self.received))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # whoever sent it was killed
                received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                reply = receiver.answer(received)
                receiver.received.append(received)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler
