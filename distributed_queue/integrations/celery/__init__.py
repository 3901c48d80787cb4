"""A migration aid: the part of Celery's interface that most projects use, over this queue.

A project moves by changing its imports: ``from celery import Celery, shared_task`` becomes ``from
distributed_queue.integrations.celery import Celery, shared_task``. Celery itself is not needed. What cannot be carried
over raises ``NotCarriedOver``, which says what to write instead; nothing is ignored that would change what runs.

The interface is that of Celery 5 (https://docs.celeryq.dev/en/stable/userguide/tasks.html and …/calling.html).
"""

from __future__ import annotations

import logging

from distributed_queue.integrations.celery.application import Celery, shared_task
from distributed_queue.integrations.celery.known import NotCarriedOver
from distributed_queue.integrations.celery.results import AsyncResult, EagerResult
from distributed_queue.integrations.celery.tasks import Task

__all__ = ["AsyncResult", "Celery", "EagerResult", "NotCarriedOver", "Task", "get_task_logger", "shared_task"]


def get_task_logger(name: str) -> logging.Logger:
    """``celery.utils.log.get_task_logger``."""
    return logging.getLogger(name)
