"""The scripts as functions of Redis 7 (https://redis.io/docs/latest/develop/programmability/functions-intro/).

A script defines all its local functions anew each time it runs, which takes longer than what it does for one task: 19
of 40 µs for an enqueue, 34 µs for an exchange (Redis 7.0). A server that has functions is given each script as one,
defined once: its ``local function``s are kept, and its other statements run at each call, as they do in a script.

The name of a function has a digest of its text in it, so clients of different versions do not get in each other's way.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_FUNCTION = re.compile(r"^local function \w+\(.*?^end$\n?", re.MULTILINE | re.DOTALL)
_LOCAL = re.compile(r"^local (\w+(?:,\s*\w+)*)( =|$)", re.MULTILINE)
_CONSTANT = re.compile(r"^local ([A-Z_]+(?:, [A-Z_]+)*) = (\{\n(?:  .*\n)*\}|.*)$\n?", re.MULTILINE)
_VARIABLE = re.compile(r"\b(?:KEYS|ARGV|TOKEN|now|later)\b")
_READING = frozenset({"get", "list", "peek", "stats", "workers"})
"""Scripts that write nothing."""
_LETTING_GO = "write_even_if_full()"
_EVEN_IF_FULL = frozenset({"beat"})
"""Those that may write where memory is full, beside those that say so themselves."""


class Library(NamedTuple):
    """What a server is taught, and the name of the one function in it."""

    source: bytes
    name: bytes


def library_of(script: str, parts: Iterable[str]) -> Library:
    """The library of a script that is put together of these parts, without their comments.

    In each part, what is at the beginning of a line and neither a function nor a ``local`` runs at each call; so does a
    ``local``, unless its name is in capitals and its value depends on nothing that a call brings.
    """
    constants: list[str] = []
    functions: list[str] = []
    steps: list[str] = []
    names: list[str] = []

    def assign(found: re.Match[str]) -> str:
        declared = [name.strip() for name in found[1].split(",")]
        names.extend(declared)
        return ", ".join(declared) + (" =" if found[2] else " = nil")

    def hoist(found: re.Match[str]) -> str:
        if _VARIABLE.search(found[2]):
            return found[0]
        constants.append(found[0].strip())
        return ""

    for part in parts:
        functions += (found[0] for found in _FUNCTION.finditer(part))
        step = _LOCAL.sub(assign, _CONSTANT.sub(hoist, _FUNCTION.sub("", part))).strip()
        if step:
            steps.append(step)
    body = "\n".join(
        [
            "local KEYS, ARGV",
            *constants,
            *([f"local {', '.join(dict.fromkeys(names))}"] if names else []),
            *functions,
            "local steps = {}",
            *(f"steps[{number}] = function()\n{step}\nend" for number, step in enumerate(steps, 1)),
        ]
    )
    name = f"dq_{script}_{hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()[:12]}"
    calls = "".join(f"  steps[{number}]()\n" for number in range(1, len(steps)))
    source = (
        f"#!lua name={name}\n{body}\n"
        f"redis.register_function{{function_name='{name}', flags={{{_flags(script, steps[-1])}}}, "
        f"callback=function(keys, args)\n  KEYS, ARGV = keys, args\n{calls}  return steps[{len(steps)}]()\nend}}\n"
    )
    return Library(source.encode(), name.encode())


def _flags(script: str, own: str) -> str:
    if script in _READING:
        return "'no-writes'"
    if _LETTING_GO in own or script in _EVEN_IF_FULL:
        return "'allow-oom'"
    return ""
