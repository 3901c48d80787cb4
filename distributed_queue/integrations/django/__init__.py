"""Django: tasks in its applications, submitted on commit, run by ``manage.py dq_worker``; and a backend for its own.

``INSTALLED_APPS`` has ``"distributed_queue.integrations.django"``, and ``DISTRIBUTED_QUEUE`` says where the tasks are::

    DISTRIBUTED_QUEUE = {"URL": "redis://localhost:6379/0"}

``app`` is the project's application, for ``@app.task``. ``DistributedQueueBackend`` lets the functions of Django 6's
``django.tasks`` run here as well.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed_queue.integrations.django.application import app
    from distributed_queue.integrations.django.backend import DistributedQueueBackend
    from distributed_queue.integrations.django.commit import submit_on_commit

__all__ = ["DistributedQueueBackend", "app", "submit_on_commit"]

_HOMES = {"DistributedQueueBackend": "backend", "app": "application", "submit_on_commit": "commit"}


def __getattr__(name: str) -> object:
    # When first asked for: Django imports the package before its settings are there, and not all projects have
    # ``django.tasks``.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
