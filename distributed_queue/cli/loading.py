"""Handlers from the user's modules.

``module`` stands for its dictionary ``handlers`` (type to function) or, if it has none, for its function
``register(pool)``; ``module:name`` for a dictionary or a function of another name. A function is called with the pool
and calls ``pool.register_handler(type, function, retry=…, timeout=…)``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from distributed_queue.core.worker import WorkerPool
from distributed_queue.errors import ConfigurationError


def register_handlers(references: Iterable[str], pool: WorkerPool) -> None:
    """Register what the references name. Raises ``ConfigurationError`` that says which one is wrong, and how."""
    for reference in references:
        found = _resolve(reference)
        if isinstance(found, Mapping):
            for task_type, function in found.items():
                pool.register_handler(task_type, function)
        else:
            found(pool)


def _resolve(reference: str) -> Any:
    name, _, attribute = reference.partition(":")
    module = _import(name)
    if attribute:
        found = getattr(module, attribute, None)
        if not isinstance(found, Mapping) and not callable(found):
            raise ConfigurationError(f"{name} has no dictionary of handlers and no function named {attribute!r}")
        return found
    found = getattr(module, "handlers", None)
    if isinstance(found, Mapping):
        return found
    found = getattr(module, "register", None)
    if callable(found):
        return found
    raise ConfigurationError(
        f"{name} has neither a dictionary 'handlers' nor a function 'register(pool)'; name another one as {name}:name"
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
