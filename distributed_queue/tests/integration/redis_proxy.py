"""A TCP proxy in front of a Redis that loses replies: the server did what it was asked, and the client cannot know."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

HOST = "127.0.0.1"


class LossyProxy:
    """Passes everything on, but loses the next ``to_lose`` replies to scripts: it closes the connection instead."""

    def __init__(self, port: int) -> None:
        self._target = (HOST, port)
        self._listener = socket.create_server((HOST, 0))
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.to_lose = 0
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where the server seems to be."""
        return f"redis://{HOST}:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.close()
        with self._lock:
            for each in self._sockets:
                each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                self._sockets += [client, server]
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        """One request, one reply, as the driver converses; requests that block are not for this proxy."""
        script_asked = threading.Event()

        def pass_on_requests() -> None:
            with suppress(OSError):
                while request := client.recv(65536):
                    if b"EVAL" in request:
                        script_asked.set()
                    server.sendall(request)
            _end(server)

        threading.Thread(target=pass_on_requests, daemon=True).start()
        with suppress(OSError):
            while reply := server.recv(65536):
                if script_asked.is_set() and self._loses_one():
                    break
                script_asked.clear()
                client.sendall(reply)
        _end(client)

    def _loses_one(self) -> bool:
        with self._lock:
            if not self.to_lose:
                return False
            self.to_lose -= 1
            self.lost += 1
            return True


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
