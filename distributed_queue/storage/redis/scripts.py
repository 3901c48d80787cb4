"""The Lua scripts: a file a verb, put together with the includes that it names.

A script names its includes, in order, in a line ``-- include: time, queue``. They are fragments that define local
functions and values; each is in ``scripts/include`` and says what it needs.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.storage.redis.functions import Library, library_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed_queue.storage.redis.codec import Arg

_INCLUDES = re.compile(r"^-- include: (.+)$", re.MULTILINE)
_COMMENTS = re.compile(r"^\s*--.*\n", re.MULTILINE)
_loaded: dict[object, Script] = {}


class Script(NamedTuple):
    """A script and the name under which a server keeps it."""

    source: bytes
    sha: bytes
    library: Library
    """The same as a function."""

    def call(self, keys: Sequence[bytes], *args: Arg) -> tuple[Arg, ...]:
        """The command that runs it, provided that the server knows it."""
        return (b"EVALSHA", self.sha, len(keys), *keys, *args)

    def as_function(self, call: tuple[Arg, ...]) -> tuple[Arg, ...]:
        """The command for a server that has functions, provided that it knows this one."""
        return (b"FCALL", self.library.name, *call[2:])

    def teach(self, call: tuple[Arg, ...]) -> tuple[Arg, ...]:
        """The same command for a server that does not know the script: it knows it afterwards."""
        return (b"EVAL", self.source, *call[2:])


@cache
def load_script(name: str) -> Script:
    """The script of a verb."""
    text = _read(f"{name}.lua")
    found = _INCLUDES.search(text)
    parts = [_read(f"include/{part.strip()}.lua") for part in found[1].split(",")] if found else []
    # Comments need not travel to the server.
    parts = [_COMMENTS.sub("", part) for part in (*parts, text)]
    source = "\n".join(parts).encode()
    sha = hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
    script = Script(source, sha, library_of(name, parts))
    _loaded[script.sha] = script
    return script


def script_of(call: tuple[Arg, ...]) -> Script:
    """The script that a command runs."""
    return _loaded[call[1]]


def _read(path: str) -> str:
    return (files(__package__) / "scripts" / path).read_text(encoding="utf-8")
