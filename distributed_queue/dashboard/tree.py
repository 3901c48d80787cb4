"""JSON-compatible values as lines of a tree, as far as a page can show them."""

from __future__ import annotations

from typing import Any, NamedTuple

MAX_NODES = 1000
MAX_TEXT = 2000
_FOLD = 5
"""Containers with more entries than that, below the first levels, start folded."""


class Node(NamedTuple):
    """One value."""

    key: str | None
    kind: str
    """``text``, ``number``, ``word`` (true, false, null), ``list``, ``object``, or ``more``: something was left out."""
    text: str
    children: tuple[Node, ...] = ()
    folded: bool = False


def make_tree(value: Any) -> Node:
    """The tree of a value, cut off after ``MAX_NODES`` nodes."""
    return _Planter().node(None, value, 0)


class _Planter:
    """Makes nodes until there are enough."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def node(self, key: str | None, value: Any, depth: int) -> Node:
        self._left -= 1
        if isinstance(value, dict):
            return self._container(key, "object", list(value.items()), depth)
        if isinstance(value, (list, tuple)):
            return self._container(key, "list", [(str(index), each) for index, each in enumerate(value)], depth)
        if value is None or isinstance(value, bool):
            return Node(key, "word", _WORDS[value])
        if isinstance(value, (int, float)):
            return Node(key, "number", str(value))
        text = str(value)
        if len(text) > MAX_TEXT:
            text = f"{text[:MAX_TEXT]}… ({len(text):,} characters)"
        return Node(key, "text", text)

    def _container(self, key: str | None, kind: str, entries: list[tuple[str, Any]], depth: int) -> Node:
        children: list[Node] = []
        for shown, (name, each) in enumerate(entries):
            if self._left <= 0:
                children.append(Node(None, "more", f"{len(entries) - shown:,} more are not shown"))
                break
            children.append(self.node(name, each, depth + 1))
        opened, closed = "{}" if kind == "object" else "[]"
        text = f"{opened} {len(entries):,} {closed}" if entries else opened + closed
        return Node(key, kind, text, tuple(children), folded=depth > 1 and len(entries) > _FOLD)


_WORDS = {None: "null", True: "true", False: "false"}
