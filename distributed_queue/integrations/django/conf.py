"""The setting ``DISTRIBUTED_QUEUE``."""

from __future__ import annotations

from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class DjangoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="upper"):
    """Its keys, in upper case."""

    url: str | None = None
    """Where the tasks are. Without it, the environment variable ``DQ_STORAGE_URL`` says so."""
    options: dict[str, Any] = {}
    """Options of ``HybridQueue``, such as ``{"max_size": 10_000}``."""
    middleware: tuple[str, ...] = ()
    """Dotted paths of ``Middleware`` classes, the outermost first."""
    autodiscover: tuple[str, ...] = ("tasks",)
    """Names of the modules with tasks that installed applications have."""


def read_settings() -> DjangoSettings:
    """What the project's settings say. Raises ``ImproperlyConfigured``."""
    try:
        return msgspec.convert(getattr(settings, "DISTRIBUTED_QUEUE", {}), DjangoSettings)
    except msgspec.ValidationError as error:
        raise ImproperlyConfigured(f"DISTRIBUTED_QUEUE: {error}") from error
