"""Handlers from the user's modules.

``module`` stands for its dictionary ``handlers`` (type to function), its function ``register(pool)`` or its
``DistributedQ`` application named ``app``, whichever it has first; ``module:name`` for one of another name. A function
is called with the pool and calls ``pool.register_handler(type, function, retry=…, timeout=…)``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, Union, cast, runtime_checkable

from distributed_queue.core.registry import without_password
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import TypeAlias

    from distributed_queue.core.worker import WorkerPool


@runtime_checkable
class Application(Protocol):
    """A ``DistributedQ``, or what stands in for one."""

    @property
    def named_url(self) -> str | None:
        """The storage that it names."""
        ...

    def register(self, workers: WorkerPool) -> None:
        """Let the workers run its functions."""
        ...

    def close(self) -> None:
        """Clean up."""
        ...


if TYPE_CHECKING:
    Source: TypeAlias = Union[Application, Mapping[str, Callable[[Any], Any]], Callable[[WorkerPool], object]]  # noqa: UP007

_DEFAULTS: tuple[tuple[str, Callable[[object], bool]], ...] = (
    ("handlers", lambda found: isinstance(found, Mapping)),
    ("register", callable),
    ("app", lambda found: isinstance(found, Application)),
)


def load_handlers(references: Iterable[str]) -> list[Source]:
    """What the references name. Raises ``ConfigurationError`` that says which one is wrong, and how."""
    return [_resolve(reference) for reference in references]


def register_handlers(sources: Iterable[Source], pool: WorkerPool) -> None:
    """Let the pool's workers run what was loaded."""
    for source in sources:
        if isinstance(source, Application):
            source.register(pool)
        elif isinstance(source, Mapping):
            for task_type, function in source.items():
                pool.register_handler(task_type, function)
        else:
            source(pool)


def storage_of(sources: Iterable[Source]) -> str | None:
    """The storage that the applications among the sources name. Raises ``ConfigurationError`` if they do not agree."""
    urls = {source.named_url for source in sources if isinstance(source, Application)} - {None}
    if len(urls) > 1:
        shown = " and ".join(sorted(without_password(url) for url in urls if url))
        raise ConfigurationError(f"The applications name different storages, {shown}; run a worker for each")
    return next(iter(urls), None)


def close_applications(sources: Iterable[Source]) -> None:
    """Let the applications among the sources clean up."""
    for source in sources:
        if isinstance(source, Application):
            source.close()


def _resolve(reference: str) -> Source:
    name, _, attribute = reference.partition(":")
    module = _import(name)
    if attribute:
        found = getattr(module, attribute, None)
        if not isinstance(found, (Mapping, Application)) and not callable(found):
            raise ConfigurationError(
                f"{name} has no application, no dictionary of handlers and no function named {attribute!r}"
            )
        return cast("Source", found)
    for attribute, fits in _DEFAULTS:
        found = getattr(module, attribute, None)
        if fits(found):
            return cast("Source", found)
    raise ConfigurationError(
        f"{name} has no dictionary 'handlers', no function 'register(pool)' and no application 'app'; "
        f"name another one as {name}:name"
    )


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        # Console scripts do not have it, and it is where one's own modules are.
        sys.path.insert(0, here)
    if name.endswith(".py") or "/" in name:
        module = name.removesuffix(".py").strip("./").replace("/", ".")
        raise ConfigurationError(f"{name!r} is a file; name the module: {module}")
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise ConfigurationError(f"There is no module {name!r} in {here} or among what is installed") from error
        raise ConfigurationError(f"Module {name!r} needs {missing!r}, which is not installed") from error
    except Exception as error:
        raise ConfigurationError(f"Module {name!r} cannot be imported: {type(error).__name__}: {error}") from error
