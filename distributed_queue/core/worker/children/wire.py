"""What a worker and its children say to each other: MessagePack over a pipe, so nothing is unpickled."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Union

import msgspec

from distributed_queue.core.notes import LogLine
from distributed_queue.core.storage import ClaimedTask
from distributed_queue.errors import ConfigurationError


class Reference(msgspec.Struct, frozen=True):
    """Where a function is to be found by a process that has the same code."""

    module: str
    name: str

    @classmethod
    def to(cls, function: Any) -> Reference:
        """The reference to a function. Raises ``ConfigurationError`` where no other process could find it."""
        reference = cls(getattr(function, "__module__", ""), getattr(function, "__qualname__", ""))
        try:
            found = reference.resolve()
        except (AttributeError, ImportError, ValueError):
            found = None
        if found is not function and getattr(found, "function", None) is not function:
            raise ConfigurationError(
                f"{function!r:.100} cannot run in a child process, which would not find it: define it at the top of a "
                "module, under its own name"
            )
        return reference

    def resolve(self) -> Any:
        """What is there. Raises ``ImportError`` or ``AttributeError``."""
        found: Any = import_module(self.module)
        for part in self.name.split("."):
            found = getattr(found, part)
        return found


class RemoteTraceback(Exception):
    """The cause of an exception that was raised in a child: its traceback there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Run(msgspec.Struct, tag="run", frozen=True):
    """To the child: run a handler for a task."""

    handler: Reference
    claimed: ClaimedTask
    seconds: float | None
    """What is left of its time."""
    result_limit_bytes: int


class Progress(msgspec.Struct, tag="progress", frozen=True):
    """From the child: the handler's latest word on its progress, encoded."""

    progress: bytes


class Logged(msgspec.Struct, tag="logged", frozen=True):
    """From the child: a line that the handler logged."""

    line: LogLine


class Returned(msgspec.Struct, tag="returned", frozen=True):
    """From the child: the handler returned; the result is encoded, None for None."""

    result: bytes | None
    memory_bytes: int
    """The most that the process has taken so far."""


class Raised(msgspec.Struct, tag="raised", frozen=True):
    """From the child: the handler raised."""

    kinds: tuple[tuple[str, str], ...]
    """Module and name of the exception's class and of those that it inherits from."""
    message: str
    traceback: str
    memory_bytes: int
    delay: float = 0.0
    reason: str = ""
    """Of a ``Verdict``."""

    def rebuild(self) -> BaseException:
        """An exception of the nearest class that this process knows; nothing of the user's is run for it."""
        for module, name in self.kinds:
            kind = getattr(sys.modules.get(module), name, None)
            if isinstance(kind, type) and issubclass(kind, BaseException):
                error: BaseException = kind.__new__(kind)
                error.args = (self.message,)
                if hasattr(kind, "__dict__"):
                    vars(error).update(delay=self.delay, reason=self.reason)
                return error
        return RuntimeError(self.message)


encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Run).decode
decode_answer = msgspec.msgpack.Decoder(Union[Progress, Logged, Returned, Raised]).decode  # noqa: UP007 - read at run time
