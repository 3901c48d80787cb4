"""What Django knows of this application."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from distributed_queue.integrations.django.conf import read_settings


class DistributedQueueConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Finds the tasks of all installed applications."""

    name = "distributed_queue.integrations.django"
    label = "distributed_queue"
    verbose_name = "DistributedQ"

    def ready(self) -> None:
        """Import the modules that have tasks: those named ``tasks``, or as the settings say."""
        autodiscover_modules(*read_settings().autodiscover)
