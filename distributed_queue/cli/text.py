"""Values as text that is safe and pleasant to read: control characters shown, times and durations in human units."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, marks that reverse the direction of text, and halves of surrogate pairs."""
_UNSAFE_BUT_LAYOUT = re.compile(_UNSAFE.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))
_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with what could steer a terminal written out, such as ``\x1b``; ``lines`` leaves tabs and line ends."""
    return (_UNSAFE_BUT_LAYOUT if lines else _UNSAFE).sub(_escape, text)


def one_line(value: Any, limit: int | None = None) -> str:
    """Any JSON-compatible value on one line; texts without quotes, None as nothing; cut at ``limit`` characters."""
    if value is None:
        return ""
    text = visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def json_text(value: Any, indent: int | None = 2) -> str:
    """JSON that is also safe on a terminal: it is valid JSON still, since only strings have unsafe characters."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSAFE_BUT_LAYOUT.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def duration(seconds: float | None) -> str:
    """``850ms``, ``4.2s``, ``42s``, ``5m 3s``, ``2h 5m``, ``3d 4h``; nothing for None."""
    if seconds is None:
        return ""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:  # noqa: PLR2004 - where tenths tell something
        return f"{math.floor(seconds * 10) / 10:g}s"
    parts = []
    rest = int(seconds)
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        parts.append((count, unit))
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2] if count)


def size(count: int) -> str:
    """``70 MiB``; nothing for 0, which stands for what is not known."""
    return f"{count / (1 << 20):,.0f} MiB" if count else ""


def plural(count: int, noun: str) -> str:
    """``1 task``, ``2,000 tasks``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    code = ord(character)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004 - one byte
