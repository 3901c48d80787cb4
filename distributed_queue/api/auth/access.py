"""Finds the row of the table of roles that a request is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from starlette.routing import compile_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from re import Pattern

    from starlette.types import Scope

    from distributed_queue.api.auth.roles import Role

STREAMING = "/events"
"""How the address of a stream ends: HEAD of it would have no end."""


class Permit(NamedTuple):
    """What a request needs."""

    template: str
    """The endpoint's address, with its parameters' names."""
    role: Role | None
    """None where everyone may."""
    parameters: Mapping[str, str]


class Access:
    """The table of roles, by requests."""

    def __init__(self, table: Mapping[tuple[str, str], Role | None]) -> None:
        self._fixed = {
            (method, path): Permit(path, role, {}) for (method, path), role in table.items() if "{" not in path
        }
        self._patterns: list[tuple[str, Pattern[str], str, Role | None]] = [
            (method, compile_path(path)[0], path, role) for (method, path), role in table.items() if "{" in path
        ]

    def find(self, method: str, path: str) -> Permit | None:
        """What the request needs; None where the table does not have it, so that it is for nobody."""
        if method == "HEAD" and not path.endswith(STREAMING):
            method = "GET"
        found = self._fixed.get((method, path))
        if found is not None:
            return found
        for known, pattern, template, role in self._patterns:
            if known == method:
                match = pattern.fullmatch(path)
                if match is not None:
                    return Permit(template, role, match.groupdict())
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that the table has for an address; one without parameters hides those that would fit too."""
        found = {method for method, fixed in self._fixed if fixed == path} or {
            method for method, pattern, _, _ in self._patterns if pattern.fullmatch(path)
        }
        if "GET" in found and not path.endswith(STREAMING):
            found.add("HEAD")
        return sorted(found)


def path_of(scope: Scope) -> str:
    """The address within the application, which may itself be mounted at another."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    below = path[len(root) :]
    return below if root and path.startswith(root) and (not below or below.startswith("/")) else path
