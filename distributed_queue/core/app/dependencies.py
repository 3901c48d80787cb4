"""Values that a task function is given when it runs: as FastAPI users know them, ``session: Session = Depends(make)``.

A factory is a function, or a generator function that yields the value and cleans up after it, ``def`` or ``async def``;
it may have dependencies of its own. Within one run each factory is asked once.
"""

from __future__ import annotations

import inspect
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Scope = Literal["run", "app"]


class Dependency:
    """The default of a parameter that is filled in when the function runs."""

    __slots__ = ("factory", "is_async", "scope")

    def __init__(self, factory: Callable[..., Any], scope: Scope) -> None:
        self.factory = factory
        self.scope = scope
        self.is_async = inspect.iscoroutinefunction(factory) or inspect.isasyncgenfunction(factory)

    def __repr__(self) -> str:
        return f"Depends({getattr(self.factory, '__qualname__', self.factory)})"


def Depends(factory: Callable[..., Any], *, scope: Scope = "run") -> Any:  # noqa: N802 - the name that people know
    """What ``factory`` gives: for each run anew, or with ``scope="app"`` once in a process, until the app is closed."""
    if not callable(factory):
        raise ConfigurationError(f"Depends needs a function that makes the value, not {factory!r:.100}")
    if scope not in {"run", "app"}:
        raise ConfigurationError(f"scope is {scope!r:.50}; it is 'run' or 'app'")
    return Dependency(factory, scope)


def dependencies_of(function: Callable[..., Any]) -> dict[str, Dependency]:
    """The parameters of a function that are to be filled in."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if isinstance(each.default, Dependency)}


def check_dependencies(function: Callable[..., Any]) -> dict[str, Dependency]:
    """As ``dependencies_of``. Raises ``ConfigurationError`` where one of them could not be made."""
    found = dependencies_of(function)
    for dependency in found.values():
        _check(dependency, is_async=inspect.iscoroutinefunction(function))
    return found


def _check(dependency: Dependency, *, is_async: bool) -> None:
    if dependency.is_async and not is_async:
        raise ConfigurationError(f"{dependency!r} is for async def functions, since it is made on an event loop")
    for inner in dependencies_of(dependency.factory).values():
        if dependency.scope == "app" and inner.scope == "run":
            raise ConfigurationError(f"{dependency!r} lives as long as the app, and {inner!r} only for one run")
        _check(inner, is_async=dependency.is_async)


class Resources:
    """What lives as long as the application in this process. Lock-free, since a handler may be interrupted anywhere."""

    def __init__(self) -> None:
        self._made: dict[Any, tuple[Any, ExitStack]] = {}
        self._made_on_loops: dict[Any, tuple[Any, Any]] = {}

    def get(self, dependency: Dependency, cache: dict[Any, Any]) -> Any:
        """The value of a factory, made when it is first asked for."""
        factory = dependency.factory
        if factory not in self._made:
            stack = ExitStack()
            made = _make(factory, stack, cache, self)
            value, winner = self._made.setdefault(factory, (made, stack))
            if winner is not stack:
                # Another thread was faster.
                stack.close()
            return value
        return self._made[factory][0]

    async def aget(self, dependency: Dependency, cache: dict[Any, Any]) -> Any:
        """The same for an ``async def`` factory, on the event loop that asks.

        A generator is kept, and closed with its loop: what follows its ``yield`` belongs into ``finally``.
        """
        factory = dependency.factory
        found = self._made_on_loops.get(factory)
        if found is None:
            async with AsyncExitStack() as stack:  # of no use here: what it depends on lives as long
                given = await _afill(dependencies_of(factory), stack, cache, self)
            made = factory(**given)
            value = await made.__anext__() if inspect.isasyncgen(made) else await made
            found = self._made_on_loops.setdefault(factory, (value, made))
        return found[0]

    def close(self) -> None:
        """Clean up after all of it, the latest first."""
        made, self._made, self._made_on_loops = self._made, {}, {}
        with ExitStack() as every:
            for _, stack in made.values():
                every.push(stack)


def fill(dependencies: Mapping[str, Dependency], stack: ExitStack, resources: Resources) -> dict[str, Any]:
    """The values for one run; ``stack`` cleans up after it."""
    return _fill(dependencies, stack, {}, resources)


async def afill(dependencies: Mapping[str, Dependency], stack: AsyncExitStack, resources: Resources) -> dict[str, Any]:
    """``fill`` on an event loop."""
    return await _afill(dependencies, stack, {}, resources)


def _fill(
    dependencies: Mapping[str, Dependency], stack: ExitStack, cache: dict[Any, Any], resources: Resources
) -> dict[str, Any]:
    for dependency in dependencies.values():
        if dependency.factory not in cache:
            if dependency.scope == "app":
                value = resources.get(dependency, cache)
            else:
                value = _make(dependency.factory, stack, cache, resources)
            cache[dependency.factory] = value
    return {name: cache[dependency.factory] for name, dependency in dependencies.items()}


def _make(factory: Any, stack: ExitStack, cache: dict[Any, Any], resources: Resources) -> Any:
    given = _fill(dependencies_of(factory), stack, cache, resources)
    if inspect.isgeneratorfunction(factory):
        return stack.enter_context(contextmanager(factory)(**given))
    return factory(**given)


async def _afill(
    dependencies: Mapping[str, Dependency], stack: AsyncExitStack, cache: dict[Any, Any], resources: Resources
) -> dict[str, Any]:
    for dependency in dependencies.values():
        if dependency.factory not in cache:
            cache[dependency.factory] = await _amake(dependency, stack, cache, resources)
    return {name: cache[dependency.factory] for name, dependency in dependencies.items()}


async def _amake(dependency: Dependency, stack: AsyncExitStack, cache: dict[Any, Any], resources: Resources) -> Any:
    factory = dependency.factory
    if dependency.scope == "app":
        return await resources.aget(dependency, cache) if dependency.is_async else resources.get(dependency, cache)
    given = await _afill(dependencies_of(factory), stack, cache, resources)
    if inspect.isasyncgenfunction(factory):
        return await stack.enter_async_context(asynccontextmanager(factory)(**given))
    if inspect.isgeneratorfunction(factory):
        return stack.enter_context(contextmanager(factory)(**given))
    made = factory(**given)
    return await made if dependency.is_async else made
