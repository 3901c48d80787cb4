"""``dq worker distributed_queue.integrations.django.worker``: for programs that Django has not set up yet.

``DJANGO_SETTINGS_MODULE`` names the settings. Child processes of a worker import it as well.
"""

from __future__ import annotations

import django

django.setup()

from distributed_queue.integrations.django.application import app  # noqa: E402 - it needs the settings

__all__ = ["app"]
