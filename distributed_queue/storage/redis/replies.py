"""Answers of a server that are errors: a code word, and what it says."""

from __future__ import annotations

from typing import Any


class ServerError(Exception):
    """A server refuses a command. ``code`` is the word in front of its message, such as ``NOSCRIPT``; may be empty."""

    def __init__(self, line: str) -> None:
        first, _, rest = line.partition(" ")
        self.code = first if first.isupper() else ""
        self.line = line
        """All that it said."""
        super().__init__(rest if self.code and rest else line)


class Redirected(ServerError):
    """The slot of a command's keys is at another server: for good (``MOVED``), or for this command only (``ASK``).

    The message of the server is ``MOVED 3999 127.0.0.1:6381``. An IPv6 address is not in brackets; no host at all means
    the one that was asked.
    """

    def __init__(self, line: str) -> None:
        super().__init__(line)
        host, _, port = line.rpartition(" ")[2].rpartition(":")
        self.host = host
        self.port = int(port)


def read_error(line: str) -> ServerError:
    """The error that a server's line stands for."""
    if line.startswith(("MOVED ", "ASK ")):
        return Redirected(line)
    return ServerError(line)


def errors_in(replies: list[Any]) -> list[ServerError]:
    """Those replies that are errors."""
    return [reply for reply in replies if isinstance(reply, ServerError)]


def raise_trouble(replies: list[Any]) -> list[Any]:
    """The replies, of which none may be an error."""
    for reply in replies:
        if isinstance(reply, ServerError):
            raise reply
    return replies
